"""Starting the demo's parts on a machine where others start things too."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from prodaccess.demo.stack import Stack
from prodaccess.parts.part import HOST, Part, PartError, Program


class Page(Part):
    """A web server whose port somebody takes just before it could."""

    name = "page"

    def __init__(self, others: ExitStack, command: str = "http.server") -> None:
        super().__init__()
        self.others, self.command, self.ports = others, command, list[int]()

    def _prepare(self) -> Program:
        self.ports.append(self.port)
        if len(self.ports) == 1 and self.command == "http.server":
            self.others.enter_context(socket.create_server((HOST, self.port)))
        return Program([sys.executable, "-m", self.command, "--bind", HOST, str(self.port)])

    def _ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0 and len(self.ports) > 1


@pytest.fixture
def others() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def test_a_port_taken_in_the_last_moment_is_replaced(others: ExitStack) -> None:
    stack, page = Stack(), Page(others)
    try:
        await stack._started(page)
        assert len(set(page.ports)) == 2
        assert page._ready()
    finally:
        await stack._stack.aclose()


async def test_a_part_that_cannot_start_is_not_tried_again(others: ExitStack) -> None:
    stack, page = Stack(), Page(others, command="no_such_module")
    with pytest.raises(PartError, match="ended while starting"):
        await stack._started(page)
    assert len(page.ports) == 1
    await stack._stack.aclose()
