"""What was done in a session, kept as it happened: written before it is let through, encrypted, hashed as it grows."""
