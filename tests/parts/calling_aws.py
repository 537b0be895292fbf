"""How tests call AWS: expecting a refusal, and denying with a condition."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refused(code: str, call: Callable[..., Any], **parameters: Any) -> str:
    """The call is refused with this code; returns the message."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"].get("Message", ""))


def deny(condition: dict[str, Any]) -> str:
    statement = {"Sid": "PA", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
