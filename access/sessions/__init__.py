"""Recorded connections through a gateway: the passes that they come with, their admission, and how they end."""
