"""IAM Identity Center's API as AWS documents it, for what moto leaves out: changes take their time and are no twins.

The shapes are those of botocore's service models; one request at a time, on loopback.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INSTANCE = "arn:aws:sso:::instance/ssoins-0123456789abcdef"
SUPPORT = "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef"
STORE = "d-1234567890"
_PAIR = ("TargetId", "PermissionSetArn", "PrincipalId")


class Refusal(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Work:
    """One change on its way."""

    kind: str
    asked: dict[str, str]
    looks_left: int
    status: str = "IN_PROGRESS"
    reason: str = ""

    @property
    def pair(self) -> tuple[str, ...]:
        return tuple(self.asked[key] for key in _PAIR)


@dataclass
class IdentityCenter:
    """Its state, and what goes wrong."""

    users: dict[str, str] = field(default_factory=dict)
    sets: dict[str, dict[str, str]] = field(default_factory=dict)
    assigned: list[tuple[str, ...]] = field(default_factory=list)
    work: dict[str, Work] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    slowness: int = 2  # looks before a change is carried out
    failing: str = ""  # the reason that the next changes fail for
    unanswered: set[str] = field(default_factory=set)  # operations that are carried out and whose answers are lost
    ignores_deletions: bool = False

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(operation)
        if asked.get("InstanceArn", INSTANCE) != INSTANCE:
            raise Refusal("ResourceNotFoundException", "no such instance")
        answer: dict[str, Any] = getattr(self, operation)(asked)
        if operation in self.unanswered:
            time.sleep(0.8)
        return answer

    def ListInstances(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802  AWS's own names
        if "NextToken" not in asked:
            return {"Instances": [], "NextToken": "1"}  # a page may be empty
        return {"Instances": [{"InstanceArn": INSTANCE, "IdentityStoreId": STORE, "Status": "ACTIVE"}]}

    def GetUserId(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"]
        if name not in self.users:
            raise Refusal("ResourceNotFoundException", "USER not found.")
        return {"IdentityStoreId": STORE, "UserId": self.users[name]}

    def DescribePermissionSet(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if asked["PermissionSetArn"] not in self.sets:
            raise Refusal("ResourceNotFoundException", "no such permission set")
        return {"PermissionSet": self.sets[asked["PermissionSetArn"]]}

    def ListAccountAssignments(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        wanted = (asked["AccountId"], asked["PermissionSetArn"])
        rows = [
            {"AccountId": pair[0], "PermissionSetArn": pair[1], "PrincipalType": "USER", "PrincipalId": pair[2]}
            for pair in self.assigned
            if pair[:2] == wanted
        ]
        at = int(asked.get("NextToken", "0"))  # two a page
        more = {"NextToken": str(at + 2)} if len(rows) > at + 2 else {}
        return {"AccountAssignments": rows[at : at + 2], **more}

    def CreateAccountAssignment(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"AccountAssignmentCreationStatus": self._begin("creation", asked)}

    def DeleteAccountAssignment(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if tuple(asked[key] for key in _PAIR) not in self.assigned:
            raise Refusal("ResourceNotFoundException", "no such assignment")
        return {"AccountAssignmentDeletionStatus": self._begin("deletion", asked)}

    def DescribeAccountAssignmentCreationStatus(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"AccountAssignmentCreationStatus": self._look(asked["AccountAssignmentCreationRequestId"])}

    def DescribeAccountAssignmentDeletionStatus(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"AccountAssignmentDeletionStatus": self._look(asked["AccountAssignmentDeletionRequestId"])}

    def ListAccountAssignmentCreationStatus(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        wanted = asked.get("Filter", {}).get("Status")
        rows = [
            {"RequestId": request, "Status": work.status, "CreatedDate": 0}
            for request, work in self.work.items()
            if work.kind == "creation" and wanted in (None, work.status)
        ]
        return {"AccountAssignmentsCreationStatus": rows}

    def _begin(self, kind: str, asked: dict[str, str]) -> dict[str, Any]:
        pair = tuple(asked[key] for key in _PAIR)
        if any(work.pair == pair and work.status == "IN_PROGRESS" for work in self.work.values()):
            raise Refusal("ConflictException", "another change of this assignment is in progress")
        request = str(uuid.uuid4())
        self.work[request] = Work(kind, asked, self.slowness)
        return self._shown(request)

    def _look(self, request: str) -> dict[str, Any]:
        work = self.work[request]
        if work.status == "IN_PROGRESS":
            work.looks_left -= 1
            if work.looks_left <= 0:
                self._finish(work)
        return self._shown(request)

    def _finish(self, work: Work) -> None:
        work.status, work.reason = ("FAILED", self.failing) if self.failing else ("SUCCEEDED", "")
        if self.failing:
            return
        if work.kind == "creation" and work.pair not in self.assigned:
            self.assigned.append(work.pair)
        if work.kind == "deletion" and work.pair in self.assigned and not self.ignores_deletions:
            self.assigned.remove(work.pair)

    def _shown(self, request: str) -> dict[str, Any]:
        work = self.work[request]
        told = {key: work.asked[key] for key in (*_PAIR, "TargetType", "PrincipalType")}
        reason = {"FailureReason": work.reason} if work.reason else {}
        return {"RequestId": request, "Status": work.status, "CreatedDate": 0, **told, **reason}


@contextmanager
def served(center: IdentityCenter) -> Iterator[str]:
    """Its address."""
    alone = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            try:
                with alone:
                    status, answer = 200, center.answer(operation, asked)
            except Refusal as no:
                status, answer = 400, {"__type": no.code, "Message": str(no)}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class' name
            """Not to the terminal."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that has given up waiting is no fault here."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
