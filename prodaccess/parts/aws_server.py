"""moto's server with its access control mended; `python -m prodaccess.parts.aws_server PORT`.

moto checks signatures and the actions of policies, and ignores the rest. Three of its functions are replaced:
the check of a call, AssumeRole, and PutRolePolicy's size limit. See prodaccess.parts.aws for what that gives.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any, NoReturn

from moto.core.exceptions import JsonRESTError, _RESTError
from moto.core.responses import ActionResult
from moto.iam.access_control import AssumedRoleAccessKey, IAMPolicy, IAMRequestBase
from moto.iam.exceptions import LimitExceededException, NotFoundException
from moto.iam.models import IAMBackend, Role
from moto.s3.exceptions import S3ClientError
from moto.server import main
from moto.sts.exceptions import STSClientError
from moto.sts.responses import TokenResponse

from prodaccess.parts.aws_conditions import Unsupported
from prodaccess.parts.aws_context import context_of, iam, now, one, resource_of, tags_in, transitive_in
from prodaccess.parts.aws_policies import Call, Document, is_allowed, read_document, trusts
from prodaccess.parts.aws_sessions import Asked, Refused, Session, check, inherit

INLINE_BUDGET = 10_240

#: Access key id to what moto does not remember of its session, for the life of this process.
SESSIONS: dict[str, Session] = {}


def mend() -> None:
    """Replace what moto lacks."""
    IAMRequestBase.check_action_permitted = check_call  # type: ignore[method-assign, assignment]
    TokenResponse.assume_role = assume_role  # type: ignore[method-assign, assignment]
    original = IAMBackend.put_role_policy

    def put_role_policy(backend: IAMBackend, role_name: str, policy_name: str, policy_json: str) -> None:
        check_budget(backend.get_role(role_name), policy_name, policy_json)
        original(backend, role_name, policy_name, policy_json)

    IAMBackend.put_role_policy = put_role_policy  # type: ignore[method-assign, assignment]


def check_budget(role: Role, policy_name: str, policy_json: str) -> None:
    """Refuse when a role's inline policies would together pass 10,240 characters; white space is free."""
    documents = {**role.policies, policy_name: policy_json}.values()
    if sum(len("".join(document.split())) for document in documents) > INLINE_BUDGET:
        raise LimitExceededException(f"Maximum policy size of {INLINE_BUDGET} bytes exceeded for role {role.name}")


def check_call(request: Any, resource: str) -> None:
    """Judge one signed call; raises the error the service would send. Replaces check_action_permitted."""
    caller = request._access_key
    session = SESSIONS[caller._access_key_id] if isinstance(caller, AssumedRoleAccessKey) else None
    if session and now() >= session.expires:
        refuse(request, "ExpiredToken", "The security token included in the request is expired")
    if request._action == "sts:GetCallerIdentity":  # allowed even under an explicit Deny
        return
    resource = resource_of(request, resource)
    try:
        allowed = permits(request, resource, session)
    except Unsupported as error:
        refuse(request, "NotImplemented", f"This stand-in for AWS cannot judge the call: {error}", 501)
    if not allowed:
        text = f"User: {caller.arn} is not authorized to perform: {request._action} on resource: {resource}"
        refuse(request, "AccessDenied", text)


def permits(request: Any, resource: str, session: Session | None) -> bool:
    """Say whether the caller's policies, and for AssumeRole the role's trust policy, allow the call."""
    context = context_of(request, session)
    layers = layers_of(request._access_key, session)
    if request._action != "sts:AssumeRole":
        return is_allowed(Call(request._action, resource, context), layers)
    role = role_at(resource)
    if role is None:
        return False
    trust = read_document(role.assume_role_policy_document)
    principal = frozenset({request._access_key.arn, context["aws:principalarn"][0]})
    calls = [Call(action, resource, context) for action in actions_to_assume(request._data)]
    return all(is_allowed(call, layers) and trusts(call, trust, principal) for call in calls)


def actions_to_assume(data: Any) -> list[str]:
    """Return the permissions an AssumeRole call needs: tags and a source identity need their own."""
    tags = ["sts:TagSession"] if tags_in(data) else []
    identity = ["sts:SetSourceIdentity"] if one(data, "SourceIdentity") else []
    return ["sts:AssumeRole", *tags, *identity]


def layers_of(caller: Any, session: Session | None) -> list[list[Document]]:
    """Return identity policies, then the permissions boundary and the session policy where there are any."""
    layers = [[document_of(policy) for policy in caller.collect_policies()]]
    if session is not None:
        boundary = iam().get_role(caller._owner_role_name).permissions_boundary_arn
        layers += [[document_of(iam().get_policy(boundary))]] if boundary else []
        layers += [[read_document(session.policy)]] if session.policy else []
    return layers


def document_of(policy: Any) -> Document:
    """Return the document of one of moto's several kinds of policy."""
    document: Document = IAMPolicy(policy)._policy_json
    return document


def role_at(arn: str) -> Role | None:
    """Return a role by ARN."""
    try:
        return iam().get_role_by_arn(arn)
    except NotFoundException:
        return None


def assume_role(response: TokenResponse) -> ActionResult:
    """Open a session, as STS does. Replaces TokenResponse.assume_role."""
    caller = SESSIONS.get(response.get_access_key())
    asked, arn = asked_by(response.data), one(response.data, "RoleArn")
    role = role_at(arn)
    if role is None:  # STS does not say whether it exists
        raise STSClientError("AccessDenied", f"Not authorized to perform: sts:AssumeRole on resource: {arn}")
    try:
        check(asked, int(role.max_session_duration or 3600), caller)
    except Refused as refusal:
        raise STSClientError(refusal.code, refusal.message) from refusal
    identity, tags, transitive = inherit(asked, caller)
    issued = now()
    session = Session(issued, issued + timedelta(seconds=asked.seconds), asked.policy, identity, tags, transitive)
    return open_session(response, arn, asked, session)


def asked_by(data: Any) -> Asked:
    """Read the parameters of an AssumeRole call."""
    return Asked(
        name=one(data, "RoleSessionName"),
        seconds=int(one(data, "DurationSeconds") or 3600),
        policy=one(data, "Policy"),
        source_identity=one(data, "SourceIdentity"),
        tags=tags_in(data),
        transitive=frozenset(transitive_in(data)),
    )


def open_session(response: TokenResponse, arn: str, asked: Asked, session: Session) -> ActionResult:
    """Have moto make the keys, remember the session, and answer.

    The packed size is a share of the plain limit; AWS's own formula is not published.
    """
    role = response.backend.assume_role(
        region_name=response.region,
        role_session_name=asked.name,
        role_arn=arn,
        policy=asked.policy,
        duration=asked.seconds,
        external_id=one(response.data, "ExternalId"),
    )
    role.expiration = session.expires.replace(tzinfo=None)
    SESSIONS[role.access_key_id] = session
    packed = len(session.policy) + sum(len(key) + len(value) for key, value in session.tags.items())
    result = {
        "Credentials": role,
        "AssumedRoleUser": {"AssumedRoleId": role.user_id, "Arn": role.arn},
        "PackedPolicySize": packed * 100 // 4096,
    }
    return ActionResult(result | ({"SourceIdentity": session.source_identity} if session.source_identity else {}))


def refuse(request: Any, code: str, message: str, status: int = 403) -> NoReturn:
    """Raise an error in the shape the called service answers in."""
    if request._service == "s3":
        raise S3ClientError(code, message)
    error = _RESTError(code, message)
    if request._service == "dynamodb":
        names = {"AccessDenied": "AccessDeniedException", "ExpiredToken": "ExpiredTokenException"}
        error = JsonRESTError(names.get(code, code), message)
    error.code = status
    raise error


if __name__ == "__main__":
    mend()
    main(["--host", "127.0.0.1", "--port", sys.argv[1]])
