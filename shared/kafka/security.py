"""Kafka's TLS and SASL settings, for aiokafka and for FastStream, and what is wrong with them."""

from __future__ import annotations

from typing import Any, Final

from faststream.security import (
    BaseSecurity,
    SASLOAuthBearer,
    SASLPlaintext,
    SASLScram256,
    SASLScram512,
)

from archon_contracts.client.errors import KafkaSecurityError
from archon_contracts.client.security import (
    OAUTHBEARER,
    Fault,
    KafkaSecurity,
    diagnose_refusal,
)
from shared.errors import StartupFailed
from shared.settings import KafkaSecuritySettings, ServiceSettings

_FASTSTREAM: Final = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}
_VARIABLES: Final = {
    "ca_file": "ARCHON_KAFKA_SSL_CAFILE",
    "certificate_file": "ARCHON_KAFKA_SSL_CERTFILE",
    "mechanism": "ARCHON_KAFKA_SASL_MECHANISM",
    "username": "ARCHON_KAFKA_SASL_USERNAME",
    "password": "ARCHON_KAFKA_SASL_PASSWORD",
    "token_url": "ARCHON_KAFKA_SASL_OAUTH_URL",
}
_ADVICE: Final = {
    Fault.CA: "ARCHON_KAFKA_SSL_CAFILE has to name the CA that signed it",
    Fault.HOST_NAME: "ARCHON_KAFKA_BOOTSTRAP_SERVERS has to use a name that is in it",
    Fault.CERTIFICATE: "check ARCHON_KAFKA_SSL_CERTFILE and ARCHON_KAFKA_SSL_KEYFILE",
    Fault.CREDENTIALS: "check ARCHON_KAFKA_SASL_USERNAME and ARCHON_KAFKA_SASL_PASSWORD",
    Fault.TOKEN: "check ARCHON_KAFKA_SASL_OAUTH_URL, the client's id and its secret",
    Fault.MECHANISM: "check ARCHON_KAFKA_SASL_MECHANISM",
    Fault.PROTOCOL: "check ARCHON_KAFKA_SECURITY_PROTOCOL and ARCHON_KAFKA_SSL_CERTFILE",
}


def security_arguments(settings: KafkaSecuritySettings) -> dict[str, Any]:
    """Arguments of an aiokafka client that have to do with TLS and SASL.

    Raises:
        StartupFailed: a setting cannot be used.
    """
    try:
        return _security(settings).connection()
    except KafkaSecurityError as error:
        raise StartupFailed(f"{_VARIABLES[error.setting]} {error.problem}") from error


def client_arguments(settings: ServiceSettings) -> dict[str, Any]:
    """The same, with the brokers."""
    servers = settings.kafka_bootstrap_servers.split(",")
    return {"bootstrap_servers": servers, **security_arguments(settings)}


def broker_security(settings: ServiceSettings) -> BaseSecurity:
    """The same as FastStream wants it."""
    arguments = security_arguments(settings)
    tls = arguments["ssl_context"]
    if "sasl_mechanism" not in arguments:
        return BaseSecurity(ssl_context=tls, use_ssl=tls is not None)
    if arguments["sasl_mechanism"] == OAUTHBEARER:  # its provider is an argument of the broker
        return SASLOAuthBearer(ssl_context=tls, use_ssl=tls is not None)
    return _FASTSTREAM[arguments["sasl_mechanism"]](
        username=arguments["sasl_plain_username"],
        password=arguments["sasl_plain_password"],
        ssl_context=tls,
        use_ssl=tls is not None,
    )


def token_provider(settings: ServiceSettings) -> Any:
    """What gives FastStream's clients their tokens; None without OAUTHBEARER."""
    return security_arguments(settings).get("sasl_oauth_token_provider")


async def explain_refusal(arguments: dict[str, Any], *, final: bool) -> str | None:
    """What the broker has against these arguments, and the setting to look at.

    A broker that is just coming up may close connections without a word, so that is said only
    when it is `final`. A wrong password is said at once: trying on could lock the account.
    """
    refusal = await diagnose_refusal(arguments)
    if refusal is None or (refusal.fault is Fault.PROTOCOL and not final):
        return None
    servers = ",".join(arguments["bootstrap_servers"])
    return f"Kafka at {servers} does not let us in: {refusal.reason}; {_ADVICE[refusal.fault]}"


def _security(settings: KafkaSecuritySettings) -> KafkaSecurity:
    protocol = settings.kafka_security_protocol
    key_password, password = settings.kafka_ssl_key_password, settings.kafka_sasl_password
    return KafkaSecurity(
        tls=protocol.endswith("SSL"),
        ca_file=settings.kafka_ssl_cafile,
        certificate_file=settings.kafka_ssl_certfile,
        key_file=settings.kafka_ssl_keyfile,
        key_password=key_password.get_secret_value() if key_password else None,
        mechanism=settings.kafka_sasl_mechanism if protocol.startswith("SASL") else None,
        username=settings.kafka_sasl_username,
        password=password.get_secret_value() if password else None,
        token_url=settings.kafka_sasl_oauth_url,
        scope=settings.kafka_sasl_oauth_scope,
    )
