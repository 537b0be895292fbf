"""Clients of AWS: the usual chain finds the keys, and no call waits longer than we say."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from notary.errors import BadSetting

FAILURES = (BotoCoreError, ClientError)


@dataclass(frozen=True, slots=True)
class AwsPlace:
    """Which region, and which endpoint where it is not AWS itself."""

    region: str = ""  # empty: whatever the environment says
    endpoint_url: str = ""


def client(service: str, place: AwsPlace, timeout: float) -> Any:
    """Tries twice at most; `timeout` is in seconds, per try. Raises BadSetting when no region is known."""
    for logger in ("botocore", "boto3"):
        logging.getLogger(logger).setLevel(logging.INFO)  # at DEBUG they print keys and answers
    retries = {"mode": "standard", "total_max_attempts": 2}
    config = Config(connect_timeout=timeout / 2, read_timeout=timeout, retries=retries)
    try:
        session = Session(region_name=place.region or None, botocore_session=_core())
        return session.client(service, endpoint_url=place.endpoint_url or None, config=config)
    except (BotoCoreError, ValueError) as error:
        raise BadSetting(f"AWS cannot be used: {error}") from None


def _core() -> Any:
    """What AWS's services look like is read once: that is most of what a client costs."""
    core = get_session()
    core.register_component("data_loader", _loader())
    return core


@cache
def _loader() -> Any:
    return get_session().get_component("data_loader")


def why(error: Exception) -> str:
    """AWS's own code, or what kind of silence it was. Never its frames: they hold keys."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "an unknown error"))
    return type(error).__name__
