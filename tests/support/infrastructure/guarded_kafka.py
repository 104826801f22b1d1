"""The embedded broker behind TLS and SASL: what a production cluster asks of its clients."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.faults.brokers.proxy import Proxy
from tests.support.infrastructure.certificates import Authority
from tests.support.infrastructure.sasl_gate import SaslGate, versions_of

USER = "archon-probe"
PASSWORD = "a-password-that-nobody-may-see"
KEY_PASSWORD = "another-that-nobody-may-see"


class GuardedKafka:
    """A listener with a certificate of its own CA, in front of a broker in the open."""

    def __init__(self, proxy: Proxy, authority: Authority, gate: SaslGate | None) -> None:
        self._proxy = proxy
        self.authority = authority
        self.gate = gate

    @property
    def address(self) -> str:
        """host:port of the listener."""
        return self._proxy.address

    def settings(self, protocol: str, **others: object) -> dict[str, object]:
        """Fields of `ServiceSettings` that are right for it."""
        fields: dict[str, object] = {
            "kafka_bootstrap_servers": self.address,
            "kafka_security_protocol": protocol,
            "kafka_ssl_cafile": str(self.authority.ca_file),
        }
        if protocol.startswith("SASL"):
            fields |= {"kafka_sasl_username": USER, "kafka_sasl_password": PASSWORD}
        return fields | others

    def client_certificate(self, *, password: str | None = None) -> Mapping[str, object]:
        """Fields for mutual TLS with a certificate that the listener knows."""
        certificate, key = self.authority.issue("client", password=password)
        fields = {"kafka_ssl_certfile": str(certificate), "kafka_ssl_keyfile": str(key)}
        return fields | ({"kafka_ssl_key_password": password} if password else {})


@contextlib.asynccontextmanager
async def guarded_kafka(
    kafka: str,
    folder: Path,
    *,
    mechanism: str | None = None,
    tls: bool = True,
    wants_certificate: bool = False,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    days: int = 1,
) -> AsyncIterator[GuardedKafka]:
    """A listener while the block runs; its certificate is for `hosts`."""
    host, _, port = kafka.partition(":")
    authority = Authority(folder / "ca", "authority")
    context = authority.server_context("broker", *hosts, days=days) if tls else None
    if context is not None and wants_certificate:
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    gate = None
    if mechanism is not None:
        versions = await versions_of(host, int(port))
        gate = SaslGate(mechanism, USER, PASSWORD, broker_versions=versions)
    proxy = Proxy(
        host,
        int(port),
        advertises_address=True,
        tls=context,
        admit=gate.admit if gate is not None else None,
    )
    async with proxy.serving():
        yield GuardedKafka(proxy, authority, gate)
