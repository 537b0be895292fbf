"""`python -m benchmarks NAME [--json] [--check]`: a table, or one JSON object; `--check` exits 1 on a missed aim."""

from __future__ import annotations

import argparse
import importlib
import sys

NAMES = {
    "audit": "what the audit log costs, against the same rows and bytes without it",
    "click_to_credential": "from the approver's click to a credential in the engineer's process",
    "cli_startup": "what the engineer's command costs to start",
    "pg_gateway": "PostgreSQL through the recorded gateway, beside haproxy, pgbouncer and pgpool2 (some ten minutes)",
    "policy": "judging under a policy of 10,000 rules and 10,000 people",
    "replicas": "three processes end 6,000 grants and write the thread, while one is killed or frozen",
    "revoke": "a thousand and ten thousand grants end in one second, among 100,000; from memory; 200 at a real OpenBao",
    "revoke_start": "from the start of a process to the first end of a grant that was overdue, at a real OpenBao",
    "search": "searching a year of production: a million entries, on SQLite and on PostgreSQL (some ten minutes)",
    "ssh_gateway": "SSH through the gateway, recorded, against direct and OpenSSH's ProxyJump; 500 sessions at once",
    "slack_ack": "acknowledging Slack while approvals run",
}


def main() -> int:
    epilog = "\n".join(f"{name:20} {meaning}" for name, meaning in NAMES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=NAMES, metavar="NAME")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--check", action="store_true", help="exit 1 when an aim is missed")
    options = parser.parse_args()
    result = importlib.import_module(f"benchmarks.{options.name}").measure()
    print(result.as_json() if options.json else result.as_table())
    return 1 if options.check and not result.met else 0


if __name__ == "__main__":
    sys.exit(main())
