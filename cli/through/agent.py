"""An SSH agent of one key, for one command (draft-ietf-sshm-ssh-agent), and the giving of that key to another agent."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from struct import pack, unpack_from

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..exits import CliError, Usage

_KIND = b"ssh-ed25519"
_FAILURE, _SUCCESS = b"\x05", b"\x06"
_LIST, _LISTED, _SIGN, _SIGNED, _ADD = b"\x0b", b"\x0c", b"\x0d", b"\x0e", b"\x19"
_LIFETIME = b"\x01"
_LOGIN = b"\x32"  # SSH_MSG_USERAUTH_REQUEST (RFC 4252 §7): the only thing that is signed here
_METHODS = (b"publickey", b"publickey-hostbound-v00@openssh.com")
_LONGEST = 1 << 18  # bytes of a message, as in OpenSSH


class Key:
    """Made here, kept in memory. `users`: the names that it may log in as."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._public = self._key.public_key().public_bytes_raw()
        self._blob = _string(_KIND) + _string(self._public)
        self.users: Collection[str] = ()
        self.comment = "prodaccess"

    @property
    def public(self) -> str:
        """As in `authorized_keys`, without comment."""
        return f"{_KIND.decode()} {base64.b64encode(self._blob).decode()}"

    def answer(self, request: bytes) -> bytes:
        """To one message of a client."""
        if request == _LIST:
            return _LISTED + pack(">I", 1) + _string(self._blob) + _string(self.comment.encode())
        if request[:1] == _SIGN:
            with suppress(struct.error):
                blob, data = islice(_strings(request[1:]), 2)
                if blob == self._blob and self._is_login(data):
                    return _SIGNED + _string(_string(_KIND) + _string(self._key.sign(data)))
        return _FAILURE

    def _is_login(self, data: bytes) -> bool:
        session, rest = next(_strings(data)), data[4 + int.from_bytes(data[:4], "big") :]
        if not session or rest[:1] != _LOGIN:
            return False
        user, service, method = islice(_strings(rest[1:]), 3)
        return user.decode("utf-8", "replace") in self.users and service == b"ssh-connection" and method in _METHODS

    def serve(self, client: socket.socket) -> None:
        """One connection."""
        with client.makefile("rwb") as stream:
            while len(head := stream.read(4)) == 4 and (size := int.from_bytes(head, "big")) <= _LONGEST:
                stream.write(_string(self.answer(stream.read(size))))
                stream.flush()

    def give(self, seconds: int) -> None:
        """To the person's own agent, which forgets it after so long. Raises CliError."""
        place = os.environ.get("SSH_AUTH_SOCK", "")
        if not place:
            raise Usage("No agent is running (SSH_AUTH_SOCK is not set). Start one: ssh-agent")
        secret = self._key.private_bytes_raw() + self._public
        told = b"".join(map(_string, (_KIND, self._public, secret, self.comment.encode())))
        try:
            with socket.socket(socket.AF_UNIX) as agent:
                agent.settimeout(10)
                agent.connect(place)
                agent.sendall(_string(_ADD + told + _LIFETIME + pack(">I", max(1, seconds))))
                answer = agent.recv(5)
        except OSError as error:
            raise CliError(f"The agent ({place}) does not answer: {error.strerror or error}.") from None
        if answer[4:5] != _SUCCESS:
            raise CliError(f"The agent ({place}) did not take the key. Is it locked, or one that takes none?")


def _string(data: bytes) -> bytes:
    return pack(">I", len(data)) + data


def _strings(data: bytes) -> Iterator[bytes]:
    """Raises struct.error."""
    at = 0
    while True:
        (size,) = unpack_from(">I", data, at)
        if at + 4 + size > len(data):
            raise struct.error
        yield data[at + 4 : at + 4 + size]
        at += 4 + size
