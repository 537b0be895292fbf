"""The notary: signs checkpoints of the log, and puts them where whoever owns the database cannot reach."""
