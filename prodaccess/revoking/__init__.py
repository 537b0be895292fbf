"""Ending grants without the rest of the server: `prodaccess revoker`, and while the database is away."""
