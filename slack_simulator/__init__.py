"""A local Slack workspace: real Bolt apps run against it unchanged, people use its page, tests drive it."""

from slack_simulator.errors import ActError, SeedError, SlackError
from slack_simulator.people import Clicked, Person, Shown
from slack_simulator.server import Simulator
from slack_simulator.submission import Submitted
from slack_simulator.workspace import Workspace

__all__ = [
    "ActError",
    "Clicked",
    "Person",
    "SeedError",
    "Shown",
    "Simulator",
    "SlackError",
    "Submitted",
    "Workspace",
]
