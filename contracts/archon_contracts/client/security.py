"""TLS and SASL for the Kafka clients, and in words why a broker does not let one in, or lets it do
less than it tries."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

from archon_contracts.client.errors import KafkaSecurityError, MissingExtraError
from archon_contracts.client.oauth import ClientCredentials, TokenRefusedError

try:
    from aiokafka.client import collect_hosts
    from aiokafka.conn import create_conn
    from aiokafka.errors import (
        AuthenticationFailedError,
        ClusterAuthorizationFailedError,
        GroupAuthorizationFailedError,
        IllegalSaslStateError,
        KafkaError,
        SaslAuthenticationFailed,
        TopicAuthorizationFailedError,
        UnsupportedSaslMechanismError,
    )
    from aiokafka.protocol.metadata import MetadataRequest
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error

OAUTHBEARER: Final = "OAUTHBEARER"
MISSING_RIGHT_ERRORS: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER)
LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")
DIAGNOSIS_TIMEOUT_SECONDS: Final = 5.0
# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME: Final = (62, 64)


class Fault(Enum):
    """Which of the settings the broker and the client do not agree on; a value is its name."""

    CA = "ca_file"
    HOST_NAME = "bootstrap_servers"
    CERTIFICATE = "certificate_file"
    CREDENTIALS = "password"
    MECHANISM = "mechanism"
    TOKEN = "token_url"
    PROTOCOL = "tls"


@dataclass(frozen=True, slots=True)
class ConnectionRefusal:
    """Why there is no connection, in a sentence without a secret."""

    fault: Fault
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """TLS and SASL settings of a client; `repr` shows no password.

    With `tls` the broker's certificate and host name are always checked, against `ca_file` or the
    system's authorities. A client certificate (mutual TLS) is a pair of PEM files. `mechanism`
    turns SASL on; with OAUTHBEARER `username` and `password` are a client's id and secret,
    `token_url` is where they are exchanged for a token (https, but on this machine), and `scope` is
    what is asked for.
    """

    tls: bool = True
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token_url: str | None = None
    scope: str = ""

    def connection(self) -> dict[str, Any]:
        """Options of aiokafka's clients: what `connection` of our clients takes.

        Raises:
            KafkaSecurityError: a file cannot be read, or SASL lacks a part.
        """
        transport = "SSL" if self.tls else "PLAINTEXT"
        if self.mechanism is None:
            return {"security_protocol": transport, "ssl_context": self.tls_context()}
        if self.mechanism not in MECHANISMS:
            raise KafkaSecurityError(
                "mechanism", f"is {self.mechanism}; use one of {', '.join(MECHANISMS)}"
            )
        for name, value in (("username", self.username), ("password", self.password)):
            if not value:
                raise KafkaSecurityError(name, f"is needed with SASL {self.mechanism}")
        sasl = {
            "security_protocol": f"SASL_{transport}",
            "ssl_context": self.tls_context(),
            "sasl_mechanism": self.mechanism,
        }
        if self.mechanism == OAUTHBEARER:
            return sasl | {"sasl_oauth_token_provider": self._token_provider()}
        return sasl | {
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def _token_provider(self) -> ClientCredentials:
        assert self.username is not None
        assert self.password is not None
        if not self.token_url:
            raise KafkaSecurityError("token_url", f"is needed with SASL {OAUTHBEARER}")
        address = urlsplit(self.token_url)
        # The secret goes there: in the open only where nobody else can read it.
        is_open = address.scheme == "http" and address.hostname in LOOPBACK_HOSTS
        if not address.hostname or not (address.scheme == "https" or is_open):
            raise KafkaSecurityError("token_url", f"is {self.token_url}; name an https:// address")
        return ClientCredentials(
            self.token_url, self.username, self.password, self.scope, self._authorities()
        )

    def _authorities(self) -> ssl.SSLContext:
        """Who may sign the token endpoint's certificate: whoever signs the brokers', too."""
        context = ssl.create_default_context()
        if self.tls and self.ca_file is not None:
            self.tls_context()  # which names a file that cannot be read
            context.load_verify_locations(self.ca_file)
        return context

    def tls_context(self) -> ssl.SSLContext | None:
        """Checks the broker's certificate and its name; None without TLS.

        Raises:
            KafkaSecurityError: a file cannot be read.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise KafkaSecurityError(
                "ca_file",
                f"is {self.ca_file}, which cannot be read as a CA bundle "
                f"({error.strerror or error}); name a PEM file",
            ) from error
        if self.certificate_file is not None:
            self._add_certificate(context)
        elif self.key_file is not None:
            raise KafkaSecurityError("certificate_file", "is needed with a key file")
        return context

    def _add_certificate(self, context: ssl.SSLContext) -> None:
        assert self.certificate_file is not None
        try:
            # Without a password OpenSSL would ask for one on the terminal, and wait.
            password = self.key_password or ""
            context.load_cert_chain(self.certificate_file, self.key_file, lambda: password)
        except (OSError, ValueError) as error:
            files = " and ".join(name for name in (self.certificate_file, self.key_file) if name)
            raise KafkaSecurityError(
                "certificate_file",
                f"and its key cannot be read from {files}: name PEM files that belong together, "
                "and the key's password if it has one",
            ) from error


async def diagnose_refusal(options: Mapping[str, Any]) -> ConnectionRefusal | None:
    """Connect once more to hear what is wrong, which aiokafka's clients only log.

    `options` are those of a client. None: the brokers do not answer at all, or all is well.
    """
    wanted = {name: options[name] for name in _CONNECTION_OPTIONS if name in options}
    for host, port, _ in collect_hosts(options["bootstrap_servers"]):
        try:
            async with asyncio.timeout(DIAGNOSIS_TIMEOUT_SECONDS):
                connection = await create_conn(host, port, **wanted)
                try:
                    await connection.send(MetadataRequest([]))
                finally:
                    connection.close()
        except (KafkaError, OSError) as error:
            refusal = _classify_refusal(error, str(options.get("security_protocol", "PLAINTEXT")))
            if refusal is not None:
                return refusal
    return None


_CONNECTION_OPTIONS: Final = (
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_oauth_token_provider",
)


def _classify_refusal(error: BaseException, protocol: str) -> ConnectionRefusal | None:
    cause = error.__cause__ or error
    match cause:
        case ssl.SSLCertVerificationError() if cause.verify_code in _OTHER_NAME:
            return ConnectionRefusal(
                Fault.HOST_NAME, f"its certificate is for others: {_message_of(cause)}"
            )
        case ssl.SSLCertVerificationError():
            return ConnectionRefusal(
                Fault.CA, f"its certificate is not trusted: {_message_of(cause)}"
            )
        case ssl.SSLError() if "ALERT" in (cause.reason or ""):
            return ConnectionRefusal(
                Fault.CERTIFICATE, f"it refuses this client's certificate: {cause}"
            )
        case ssl.SSLError():
            return ConnectionRefusal(
                Fault.PROTOCOL, f"it does not speak TLS as {protocol} asks: {cause}"
            )
        case TokenRefusedError():
            return ConnectionRefusal(Fault.TOKEN, str(cause.args[0]))
        case AuthenticationFailedError() | SaslAuthenticationFailed():
            return ConnectionRefusal(Fault.CREDENTIALS, "it does not accept this user and password")
        case UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return ConnectionRefusal(Fault.MECHANISM, "it does not offer this SASL mechanism")
        # Accepted, then closed: the listener expects another security protocol.
        case asyncio.IncompleteReadError() | ConnectionResetError():
            return ConnectionRefusal(
                Fault.PROTOCOL,
                f"it closes a connection in {protocol} without a word; it may want TLS, SASL or a "
                "client certificate",
            )
        case _:
            return None


def _message_of(error: ssl.SSLCertVerificationError) -> str:
    return error.verify_message.rstrip(".")


def principal_in(options: Mapping[str, Any]) -> str:
    """Whom the broker takes a client with these options for, as far as we can know."""
    provider = options.get("sasl_oauth_token_provider")
    name = options.get("sasl_plain_username") or getattr(provider, "client_id", None)
    if name:
        return f"User:{name}"
    if str(options.get("security_protocol", "PLAINTEXT")) == "SSL":
        return "the user of the client certificate"
    return "User:ANONYMOUS"


def describe_missing_right(
    error: BaseException,
    *,
    principal: str,
    operation: str = "Read",
    topic: str = "",
    group: str = "",
) -> str:
    """What an authorization error of Kafka means: who lacks what, and the command that gives it."""
    # aiokafka names one topic, or the set of those that it may not commit to.
    named = [
        str(name)
        for argument in error.args
        for name in (sorted(argument) if isinstance(argument, set | frozenset) else [argument])
    ]
    match error:
        case GroupAuthorizationFailedError():
            return missing_right(principal, "Read", "group", *([group] if group else named))
        case ClusterAuthorizationFailedError():
            return missing_right(principal, "IdempotentWrite", "cluster")
    return missing_right(principal, operation, "topic", *([topic] if topic else named))


def missing_right(principal: str, operation: str, kind: str, *names: str) -> str:
    """Who lacks what, and the command that gives it."""
    resource = f"{kind} {', '.join(names)}".strip()
    options = " ".join(f"--{kind} {name}" for name in names) or f"--{kind}"
    return (
        f"Kafka does not let {principal} {operation} on {resource}; grant it with kafka-acls.sh "
        f"--add --allow-principal '{principal}' --operation {operation} {options}"
    )
