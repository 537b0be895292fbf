"""Everything on one machine: Vault, a production database, AWS, Slack and prodaccess itself, to try it out."""
