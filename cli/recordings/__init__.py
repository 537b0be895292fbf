"""Recorded sessions on a terminal: followed while they run, and played afterwards."""
