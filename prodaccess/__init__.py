"""Wiring, settings, serve, demo: the one place where concretes meet."""
