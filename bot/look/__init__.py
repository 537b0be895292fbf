"""How things look and read in Slack: values in, blocks and words out. Pure; nothing here calls anything."""
