"""Run the workspace alone: `python -m slack_simulator --seed seed.yml --manifest manifest.yml --port 8400`."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from slack_simulator.errors import SeedError
from slack_simulator.server import Simulator
from slack_simulator.workspace import Workspace

DEMO_SEED = Path(__file__).parent / "demo_seed.yml"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; returns the exit code."""
    asked = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        world = Workspace.from_seed(_read(asked.seed), _read(asked.manifest))
    except (OSError, yaml.YAMLError, SeedError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        asyncio.run(_serve(Simulator(world, asked.host, asked.port)))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write(f"Cannot listen on port {asked.port} ({error.strerror}). Choose another with --port.\n")
        return 1
    return 0


async def _serve(sim: Simulator) -> None:
    async with sim:
        sys.stdout.write(f"Page: {sim.url}/ui/\nWeb API: {sim.api_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slack_simulator", description="A local Slack workspace.")
    parser.add_argument("--seed", type=Path, default=DEMO_SEED, help="workspace seed, YAML or JSON")
    parser.add_argument("--manifest", type=Path, required=True, help="app manifest, YAML or JSON")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8400)
    return parser


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
