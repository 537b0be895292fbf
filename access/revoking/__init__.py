"""How many grants end at once: begun in one transaction, ended provider by provider, recorded in groups."""
