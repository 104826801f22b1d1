"""Proof that the gateway checked a record: an HMAC (RFC 2104), keyed for it and the coordinator.

Whoever may write to a topic can write what the gateway would have refused: feedback of an expert
or under another key's name, or an agent with a folder as its base model. What needs a scope is
taken from the topic only with this proof.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from shared.errors import StartupFailed

MAC_HEADER: Final = "ce_gatewaymac"
KEY_VARIABLE: Final = "ARCHON_GATEWAY_MAC_KEY"
# HMAC-SHA256 keys should not be shorter than the hash (RFC 2104, section 3).
MIN_KEY_BYTES: Final = 32


class GatewayMac:
    """Signs and verifies with one shared key, given in hex."""

    def __init__(self, key: str) -> None:
        try:
            self._key = bytes.fromhex(key)
        except ValueError as error:
            raise StartupFailed(f"{KEY_VARIABLE} must be hex digits, 64 or more") from error
        if len(self._key) < MIN_KEY_BYTES:
            raise StartupFailed(f"{KEY_VARIABLE} has {len(self._key)} bytes; use 32 or more")

    def compute(self, *parts: bytes) -> bytes:
        """The MAC of the parts, as hex text."""
        # Each part with its length: the border between two of them must count.
        content = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        return hmac.digest(self._key, content, hashlib.sha256).hex().encode()

    def verify(self, mac: bytes | None, *parts: bytes) -> bool:
        """Whether the MAC is of these parts."""
        # Constant time: how long a comparison takes must not show how much of a guess was right.
        return mac is not None and hmac.compare_digest(self.compute(*parts), mac)
