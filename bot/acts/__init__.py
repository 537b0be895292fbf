"""What people do in Slack: commands, buttons and forms, all of them through one gate."""
