"""Ed25519 signatures over artifact manifests (RFC 8032): they prove who made a model."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import ArtifactCorrupt, StartupFailed


def _public_hex(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


class Signer:
    """Signs with one private key, given as 32 bytes in hex."""

    def __init__(self, private_key: str) -> None:
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key))
        except ValueError as error:
            raise StartupFailed(
                "ARCHON_ARTIFACTS_SIGNING_KEY must be 64 hex digits (an Ed25519 private key)"
            ) from error

    @property
    def public_key(self) -> str:
        """The key that others trust, in hex; it also names the signer."""
        return _public_hex(self._key.public_key())

    def sign(self, manifest: bytes) -> bytes:
        """The signature file of a manifest."""
        signature = self._key.sign(manifest).hex()
        return orjson.dumps({"public_key": self.public_key, "signature": signature})


class TrustedKeys:
    """The public keys whose signatures count."""

    def __init__(
        self, public_keys: Iterable[str], setting: str = "ARCHON_ARTIFACTS_TRUSTED_KEYS"
    ) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        for text in public_keys:
            try:
                key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
            except ValueError as error:
                raise StartupFailed(
                    f"{setting} must be 64 hex digits each, comma-separated"
                ) from error
            # Under the key's own spelling: hex in capitals names the same key.
            self._keys[_public_hex(key)] = key

    def includes(self, public_key: str) -> bool:
        """Whether this key counts."""
        return public_key in self._keys

    def verify(self, manifest: bytes, signature_file: bytes | None, where: str) -> None:
        """Check the signature file of a manifest.

        Raises:
            ArtifactCorrupt: there is none, it is not of a trusted key, or it does not fit.
        """
        if signature_file is None:
            raise ArtifactCorrupt(f"{where} is not signed, and only signed artifacts are trusted")
        try:
            content = orjson.loads(signature_file)
            # Looked up and not made from the file: a signature proves nothing by a key
            # that comes with it.
            key = self._keys.get(content["public_key"])
            signature = bytes.fromhex(content["signature"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactCorrupt(f"the signature of {where} cannot be read") from error
        if key is None:
            raise ArtifactCorrupt(f"{where} is signed by a key that is not trusted")
        try:
            key.verify(signature, manifest)
        except InvalidSignature as error:
            raise ArtifactCorrupt(f"the signature of {where} does not fit its manifest") from error
