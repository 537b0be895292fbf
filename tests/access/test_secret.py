from __future__ import annotations

import copy
import pickle

import pytest

from access.secret import Secret

CANARY = "canary-4f1d"


def test_a_secret_shows_itself_only_when_revealed() -> None:
    secret = Secret({"password": CANARY})
    shown = f"{secret} {secret!r} {[secret]} {secret:>40} " + "%s" % secret  # noqa: UP031
    assert CANARY not in shown
    assert secret.reveal() == {"password": CANARY}


@pytest.mark.parametrize("leave", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_secret_does_not_leave_the_process(leave: object) -> None:
    with pytest.raises(TypeError):
        leave(Secret({"password": CANARY}))  # type: ignore[operator]
