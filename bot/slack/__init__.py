"""The edge towards Slack: its client, who somebody is there, which channel is ours, and posting once."""
