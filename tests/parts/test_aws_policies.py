"""Policies: explicit Deny, Allow in every layer, NotAction, resources, trust."""

from __future__ import annotations

from typing import Any

import pytest

from prodaccess.parts.aws_conditions import Unsupported
from prodaccess.parts.aws_policies import Call, is_allowed, read_document, trusts

READ = Call("s3:GetObject", "arn:aws:s3:::orders/a.csv", {})
LINUS = frozenset({"arn:aws:iam::123456789012:user/linus"})


def policy(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": effect, "Action": "s3:*", "Resource": "*", **elements}}


@pytest.mark.parametrize(
    ("layers", "allowed"),
    [
        ([[]], False),
        ([[policy()]], True),
        ([[policy(Action=["S3:getobject"])]], True),
        ([[policy(Action="s3:Put*")]], False),
        ([[policy(Resource="arn:aws:s3:::orders/*")]], True),
        ([[policy(Resource="arn:aws:s3:::orders")]], False),
        ([[policy(Resource=["arn:aws:s3:::other/*", "arn:aws:s3:::orders/?.csv"])]], True),
        ([[policy(), policy("Deny")]], False),
        ([[policy(), policy("Deny", Action="s3:Put*")]], True),
        ([[policy()], []], False),  # a second layer must allow too
        ([[policy()], [policy(Action="s3:Get*")]], True),
        ([[policy()], [policy("Deny", Action="s3:Get*"), policy()]], False),
        ([[policy(Condition={"Null": {"aws:SourceIdentity": "false"}})]], False),
    ],
)
def test_layers(layers: list[list[dict[str, Any]]], allowed: bool) -> None:
    assert is_allowed(READ, layers) is allowed


def test_not_action_and_not_resource() -> None:
    def only(**elements: Any) -> list[list[dict[str, Any]]]:
        return [[{"Statement": [{"Effect": "Allow", **elements}]}]]

    assert not is_allowed(READ, only(NotAction="s3:Get*", Resource="*"))
    assert is_allowed(READ, only(NotAction="iam:*", Resource="*"))
    assert not is_allowed(READ, only(Action="*", NotResource="arn:aws:s3:::orders/*"))
    assert is_allowed(READ, only(Action="*", NotResource="arn:aws:s3:::other/*"))


@pytest.mark.parametrize(
    ("principal", "trusted"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": "arn:aws:iam::123456789012:user/linus"}, True),
        ({"AWS": ["arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:user/linus"]}, True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, True),
        ({"AWS": "123456789012"}, True),
        ({"AWS": "arn:aws:iam::210987654321:root"}, False),
        ({"AWS": "arn:aws:iam::123456789012:user/ada"}, False),
        ({"Service": "ec2.amazonaws.com"}, False),
        ({}, False),
    ],
)
def test_trust(principal: Any, trusted: bool) -> None:
    call = Call("sts:AssumeRole", "arn:aws:iam::123456789012:role/r", {})
    document = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}
    assert trusts(call, document, LINUS) is trusted


def test_an_unknown_element_is_refused() -> None:
    with pytest.raises(Unsupported, match="NotPrincipal"):
        is_allowed(READ, [[policy(NotPrincipal={"AWS": "*"})]])


def test_a_policy_is_a_json_object() -> None:
    assert read_document('{"Statement": []}') == {"Statement": []}
    for text in ("[]", "{", '"x"'):
        with pytest.raises(ValueError, match=r".+"):
            read_document(text)
