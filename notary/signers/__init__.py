"""Who holds the log's key: a file, Vault's or OpenBao's transit engine, or AWS KMS. One file each, the same shape."""
