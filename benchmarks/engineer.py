"""The engineer's waiting process, as `prodaccess request --wait -- COMMAND` is one: waits, collects, says when.

Reads references from standard input, one a line; answers each with the time (seconds since the epoch) at which the
credential was in its hands.
"""

from __future__ import annotations

import sys
import time

from cli.server.api import Api
from cli.waiting import until_collected


def main() -> None:
    api = Api()
    for line in sys.stdin:
        ref = line.strip()
        request = api.request(ref)
        print("waiting", flush=True)
        credential = until_collected(api, request)
        at = time.time()
        assert credential["secret"]["password"]
        print(at, flush=True)


if __name__ == "__main__":
    main()
