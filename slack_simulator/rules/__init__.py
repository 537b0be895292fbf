"""Slack's limits on messages and views, as tables, with Slack's own error texts."""

from slack_simulator.rules.fill import filled_blocks
from slack_simulator.rules.surfaces import check_blocks, check_message, check_metadata, check_view

__all__ = ["check_blocks", "check_message", "check_metadata", "check_view", "filled_blocks"]
