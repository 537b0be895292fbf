"""A syslog server on the far side, over either transport, and what sends to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collectors.spec import make_collector, parse_spec
from collectors.syslog import StreamSyslog
from tests.collectors.ends import FarSyslog, certificate_for


@pytest.fixture(params=["tcp", "tls"])
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[FarSyslog, StreamSyslog]]:
    certificate = certificate_for(tmp_path) if request.param == "tls" else ()
    server = FarSyslog(tmp_path, certificate)
    await server.start()
    options = f"#ca={certificate[0]}" if certificate else ""
    made = make_collector(parse_spec(f"syslog+{request.param}://127.0.0.1:{server.port}{options}"))
    assert isinstance(made, StreamSyslog)
    yield server, made
    server.kill()
