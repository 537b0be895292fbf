from __future__ import annotations

import pytest

from access.errors import NotFound, Refused
from access.signin import Terminal
from tests.people import ADA, LINUS
from tests.world import World, all_at_once

TERMINAL = Terminal("thinkpad", "10.2.0.7", "key")


async def test_a_code_signs_one_terminal_in(world: World) -> None:
    code = await world.sign_ins.start(LINUS)
    token, device = await world.sign_ins.redeem(code.lower().replace("-", " "), TERMINAL)
    assert device.person == LINUS
    assert (await world.sign_ins.device_of(token)).id == device.id
    with pytest.raises(Refused, match="not valid"):
        await world.sign_ins.redeem(code, TERMINAL)


async def test_sixteen_terminals_and_one_code(world: World) -> None:
    code = await world.sign_ins.start(LINUS)
    results = await all_at_once(*(world.sign_ins.redeem(code, TERMINAL) for _ in range(16)))
    assert sum(not isinstance(r, Exception) for r in results) == 1


async def test_a_code_lives_a_minute(world: World) -> None:
    code = await world.sign_ins.start(LINUS)
    world.clock.pass_by(seconds=60)
    with pytest.raises(Refused, match="/prodaccess login"):
        await world.sign_ins.redeem(code, TERMINAL)


async def test_a_token_lives_ten_hours_and_not_after_signing_out(world: World) -> None:
    token, device = await world.sign_ins.redeem(await world.sign_ins.start(LINUS), TERMINAL)
    with pytest.raises(NotFound):
        await world.sign_ins.sign_out(device.id, ADA)
    await world.sign_ins.sign_out(device.id, LINUS)
    with pytest.raises(Refused, match="prodaccess login"):
        await world.sign_ins.device_of(token)
    token, _ = await world.sign_ins.redeem(await world.sign_ins.start(LINUS), TERMINAL)
    world.clock.pass_by(hours=10)
    with pytest.raises(Refused):
        await world.sign_ins.device_of(token)


async def test_somebody_deactivated_in_between_does_not_get_in(world: World) -> None:
    code = await world.sign_ins.start(LINUS)
    world.people.gone.add(LINUS.id)
    with pytest.raises(Refused, match="deactivated"):
        await world.sign_ins.redeem(code, TERMINAL)


async def test_neither_code_nor_token_is_kept(world: World) -> None:
    code = await world.sign_ins.start(LINUS)
    token, _ = await world.sign_ins.redeem(code, TERMINAL)
    kept = str(await world.store.devices_of(LINUS.id)) + str(await world.store.log.entries(-1))
    assert token not in kept
    assert code.replace("-", "") not in kept
