"""The gateways of one process: all protocols over one desk, begun and stopped together."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from access.sessions.model import POSTGRES, SSH
from prodaccess.gateways.running import known_gateways, make_gateways
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
