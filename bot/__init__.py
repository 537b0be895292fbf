"""prodaccess in Slack: acts stand on the thread, it on the edge towards Slack, and all of them on how things look."""
