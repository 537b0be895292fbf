"""AWS's answers and silences in plain words: a definite no, or an unknown outcome.

ProviderRefused
└── AwsRefused       AWS said no; `code` for whoever can tell two noes apart
"""

from __future__ import annotations

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from access.errors import ProviderError, ProviderRefused, ProviderSilent

_CAUSES = {
    "InvalidClientTokenId": "AWS no longer knows prodaccess' own keys",
    "SignatureDoesNotMatch": "AWS does not take prodaccess' own keys",
    "ExpiredToken": "prodaccess' own AWS session has expired",
    "MalformedPolicyDocument": "AWS does not take the policy that prodaccess wrote",
    "PackedPolicyTooLarge": "the session's policy and tags are too large for AWS together",
    "NoSuchEntity": "AWS knows no such role",
    "RegionDisabledException": "AWS's token service is switched off in this region",
    "UnmodifiableEntity": (
        "this role belongs to IAM Identity Center and cannot be edited: deny the session in the permission set's "
        "inline policy or in a service control policy"
    ),
}
_NOTHING_SENT = (
    exceptions.EndpointConnectionError,
    exceptions.ConnectTimeoutError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ParamValidationError,
)


class AwsRefused(ProviderRefused):
    """A definite no of AWS's."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


def explain(error: BotoCoreError | ClientError) -> ProviderError:
    """What a failed call means."""
    if isinstance(error, ClientError):
        return _answered(error)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return ProviderRefused("prodaccess has no AWS keys of its own")
    if isinstance(error, _NOTHING_SENT):
        return ProviderRefused("AWS cannot be reached")
    return ProviderSilent("AWS did not answer in time")


def _answered(error: ClientError) -> ProviderError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    if int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)) >= 500:
        return ProviderSilent(f"AWS answered {code or 'an error of its own'}")
    if "Throttling" in code or code == "RequestLimitExceeded":
        return AwsRefused("AWS is asked too much at the moment", code)
    if code.startswith("AccessDenied"):
        hint = (
            " with sts:TagSession and sts:SetSourceIdentity, in both policies"
            if error.operation_name == "AssumeRole"
            else ""
        )
        return AwsRefused(f"AWS does not allow prodaccess {error.operation_name}{hint}", code)
    message = " ".join(str(answer.get("Error", {}).get("Message", "")).split())
    return AwsRefused(_CAUSES.get(code) or f"AWS answered {code}: {message[:160]}", code)
