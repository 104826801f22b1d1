"""Kafka's SASL handshake as a broker does it, in front of a broker that has none.

It answers ApiVersions, SaslHandshake and SaslAuthenticate itself (PLAIN of RFC 4616, SCRAM of
RFC 5802); what a client sends after that is the broker's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Generator
from io import BytesIO

from aiokafka.conn import create_conn
from aiokafka.protocol.admin import (
    ApiVersionResponse_v0,
    SaslAuthenticateResponse_v0,
    SaslHandShakeResponse_v1,
)
from aiokafka.protocol.struct import Struct
from aiokafka.protocol.types import Bytes, Int16, Int32, String

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
OK, UNSUPPORTED_MECHANISM, FAILED = 0, 33, 58
ITERATIONS = 4096
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}

# Takes tokens, yields replies; returns the last reply, or None for a client that is not let in.
Conversation = Generator[bytes, bytes, bytes | None]


class SaslGate:
    """Lets a client through that knows the one user's password."""

    def __init__(
        self,
        mechanism: str,
        username: str,
        password: str,
        *,
        broker_versions: dict[int, tuple[int, int]],
    ) -> None:
        """A client asks once for versions, before it is let in; so the broker's are returned."""
        self._mechanism = mechanism
        self._username = username
        self._password = password
        ours = {API_VERSIONS: (0, 0), SASL_HANDSHAKE: (0, 1), SASL_AUTHENTICATE: (0, 0)}
        self._versions = [(key, *span) for key, span in (broker_versions | ours).items()]
        self.admitted = 0
        self.refused = 0

    async def admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Do the handshake; False for a client that fails, which has been sent the error."""
        try:
            passed = await self._talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        self.admitted += passed
        self.refused += not passed
        return passed

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        conversation = self._conversation()
        next(conversation)
        while True:
            api_key, correlation_id, body = await _request(reader)
            if api_key == API_VERSIONS:
                await _answer(writer, correlation_id, ApiVersionResponse_v0(OK, self._versions))
            elif api_key == SASL_HANDSHAKE:
                known = String("utf-8").decode(body) == self._mechanism
                code = OK if known else UNSUPPORTED_MECHANISM
                reply = SaslHandShakeResponse_v1(code, [self._mechanism])
                await _answer(writer, correlation_id, reply)
            elif api_key == SASL_AUTHENTICATE:
                ended, token = _step(conversation, Bytes.decode(body) or b"")
                code, reason = (FAILED, "no") if token is None else (OK, None)
                reply = SaslAuthenticateResponse_v0(code, reason, token or b"")
                await _answer(writer, correlation_id, reply)
                if ended:
                    return token is not None
            else:
                return False  # a broker hangs up on who does not say who it is

    def _conversation(self) -> Conversation:
        if self._mechanism == "PLAIN":
            return _plain(self._username, self._password)
        return _scram(_HASHES[self._mechanism], self._username, self._password)


async def versions_of(host: str, port: int) -> dict[int, tuple[int, int]]:
    """What a broker in the open says that it speaks."""
    connection = await create_conn(host, port)
    connection.close()
    return dict(connection._versions)


def _step(conversation: Conversation, token: bytes) -> tuple[bool, bytes | None]:
    """Whether it is over, and the reply."""
    try:
        return False, conversation.send(token)
    except StopIteration as end:
        return True, end.value


def _plain(username: str, password: str) -> Conversation:
    _as_whom, *who = (yield b"").split(b"\0")
    return b"" if who == [username.encode(), password.encode()] else None


def _scram(algorithm: str, username: str, password: str) -> Conversation:
    def mac(key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, algorithm).digest()

    client_first = (yield b"").decode().removeprefix("n,,")
    salt = secrets.token_bytes(16)
    nonce = _attributes(client_first)["r"] + secrets.token_hex(8)
    server_first = f"r={nonce},s={base64.b64encode(salt).decode()},i={ITERATIONS}"
    client_final = (yield server_first.encode()).decode()
    given = _attributes(client_final)
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, ITERATIONS)
    client_key = mac(salted, b"Client Key")
    message = f"{client_first},{server_first},{client_final.rpartition(',p=')[0]}".encode()
    signature = mac(hashlib.new(algorithm, client_key).digest(), message)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    known = _attributes(client_first)["n"] == username and given["r"] == nonce
    if not known or base64.b64decode(given["p"]) != proof:
        return None
    return b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), message))


def _attributes(message: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.split(","))


async def _request(reader: asyncio.StreamReader) -> tuple[int, int, BytesIO]:
    """API key, correlation id, and the body of the next request."""
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    frame = BytesIO(await reader.readexactly(size))
    api_key, _version = Int16.decode(frame), Int16.decode(frame)
    correlation_id = Int32.decode(frame)
    String("utf-8").decode(frame)  # the client's id
    return api_key, correlation_id, frame


async def _answer(writer: asyncio.StreamWriter, correlation_id: int, reply: Struct) -> None:
    frame = Int32.encode(correlation_id) + reply.encode()
    writer.write(Int32.encode(len(frame)) + frame)
    await writer.drain()
