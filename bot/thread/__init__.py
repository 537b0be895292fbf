"""The reader of the audit log: what each entry means for Slack, posted in order, once, and kept up to date."""
