"""Credentials on the engineer's machine: fetched, kept in memory for moments, and given to one command."""
