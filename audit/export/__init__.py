"""The log as files for others: tables and streams with a proof beside them, and bundles that prove themselves."""
