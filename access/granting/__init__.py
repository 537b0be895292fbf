"""A grant from its opening to its review: kept, handed over, timed; what nobody was given is taken back."""
