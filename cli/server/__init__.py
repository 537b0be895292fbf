"""The server, as the terminal calls it: its API, the sign-in, and the key that signs each call."""
