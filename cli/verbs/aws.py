"""aws: the credential as the AWS SDKs read it from a `credential_process`."""

from __future__ import annotations

import argparse

from ..credentials.collect import kept_or_fresh
from ..credentials.credential import credential_process
from ..refs import parse_ref

ABOUT = """\
For a profile in ~/.aws/config:

  [profile pa-7]
  credential_process = prodaccess aws PA-7

The SDKs start this at every call in the last quarter of an hour of a session, so the answer is kept in memory until
60 seconds before it ends. What went wrong is said on standard error, which the SDK shows."""
EXAMPLES = """\
  prodaccess aws PA-7
  AWS_PROFILE=pa-7 aws s3 ls"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant")


def run(args: argparse.Namespace) -> int:
    print(credential_process(kept_or_fresh(parse_ref(args.ref))))
    return 0
