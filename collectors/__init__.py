"""Copies of the log outside: each entry is pushed to the collectors that are set, in order and at least once."""
