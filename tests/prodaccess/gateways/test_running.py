"""The gateways of one process: all protocols over one desk, begun and stopped together."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from access.sessions.model import POSTGRES, SSH
from prodaccess.gateways.running import known_gateways, make_gateways
from prodaccess.parts.part import free_port
from prodaccess.settings import TABLE, Settings, SettingsError
from tests.gateways.ssh.hosts import Keys, in_process
from tests.gateways.ssh.house import policy
from tests.world import World


def settings(place: Path, **changes: str) -> Settings:
    values = {setting.name: setting.default or "" for setting in TABLE if not setting.secret}
    told = {f"PRODACCESS_GATEWAY_{name}": value for name, value in changes.items()}
    return Settings(values | {"PRODACCESS_RECORDINGS": str(place)} | told, {})


async def test_both_listen_over_one_desk_and_say_where(tmp_path: Path) -> None:
    both = settings(tmp_path / "recordings", POSTGRES="127.0.0.1:0", SSH="127.0.0.1:0")
    assert known_gateways(both) == {POSTGRES, SSH}
    async with in_process(Keys.make()) as upstream:
        world = World(tmp_path, policy(upstream))
        gateways = make_gateways(both, world.store, world.broker)
        await gateways.start()
        try:
            places = gateways.parts.places
            for gateway in (POSTGRES, SSH):
                _, writer = await asyncio.open_connection("127.0.0.1", places[gateway].port)
                writer.close()
            assert places[SSH].certificate.startswith("ssh-ed25519 ")
            assert places[POSTGRES].certificate.startswith("-----BEGIN CERTIFICATE")
        finally:
            await gateways.stop()
        world.close()


async def test_several_share_a_port_where_the_settings_say_so_and_else_the_second_says_that_it_is_taken(
    tmp_path: Path,
) -> None:
    place = tmp_path / "recordings"
    ports = {"POSTGRES": f"127.0.0.1:{free_port()}", "SSH": f"127.0.0.1:{free_port()}"}
    async with in_process(Keys.make()) as upstream:
        world = World(tmp_path, policy(upstream))
        first, second = (
            make_gateways(settings(place, SHARED="yes", **ports), world.store, world.broker) for _ in range(2)
        )
        alone = make_gateways(settings(place, **ports), world.store, world.broker)
        try:
            await first.start()
            await second.start()
            assert first.desk is not None
            assert second.desk is not None
            assert first.desk.shelf.path != second.desk.shelf.path
            with pytest.raises(SettingsError, match=r"PRODACCESS_GATEWAY_POSTGRES cannot be listened on \(.*in use"):
                await alone.start()
        finally:
            for gateways in (first, second, alone):
                await gateways.stop()
        world.close()


def test_a_server_whose_gateways_are_elsewhere_says_where_they_are(tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("ssh-ed25519 AAAA\n")
    elsewhere = settings(tmp_path, SSH_ADDRESS="gate.example.com:2222", SSH_KNOWN=str(known))
    world = World(tmp_path)
    gateways = make_gateways(elsewhere, world.store, world.broker)
    place = gateways.parts.places[SSH]
    assert (place.host, place.port, place.certificate) == ("gate.example.com", 2222, "ssh-ed25519 AAAA")
    assert gateways.listening == []
    with pytest.raises(SettingsError, match="public host key"):
        make_gateways(settings(tmp_path, SSH_ADDRESS="gate:1"), world.store, world.broker)
    world.close()
