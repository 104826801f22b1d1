"""Kafka's TLS and SASL settings, for aiokafka and for FastStream."""

from __future__ import annotations

import ssl
from typing import Any

from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.errors import StartupFailed
from shared.settings import ServiceSettings

_MECHANISMS = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


def client_arguments(settings: ServiceSettings) -> dict[str, Any]:
    """Arguments of an aiokafka client."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": _tls(settings),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        user, password = _credentials(settings)
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }
    return arguments


def broker_security(settings: ServiceSettings) -> BaseSecurity:
    """The same as FastStream wants it."""
    tls = _tls(settings)
    if not settings.kafka_security_protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=tls, use_ssl=tls is not None)
    mechanism = _MECHANISMS.get(settings.kafka_sasl_mechanism)
    if mechanism is None:
        raise StartupFailed(
            f"ARCHON_KAFKA_SASL_MECHANISM is {settings.kafka_sasl_mechanism}; "
            f"use one of {', '.join(_MECHANISMS)}"
        )
    user, password = _credentials(settings)
    return mechanism(username=user, password=password, ssl_context=tls, use_ssl=tls is not None)


def _tls(settings: ServiceSettings) -> ssl.SSLContext | None:
    if "SSL" not in settings.kafka_security_protocol:
        return None
    try:
        return ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    except OSError as error:
        raise StartupFailed(
            f"ARCHON_KAFKA_SSL_CAFILE is {settings.kafka_ssl_cafile}, which cannot be read as a "
            f"CA bundle ({error.strerror or error}); name a PEM file"
        ) from error


def _credentials(settings: ServiceSettings) -> tuple[str, str]:
    if settings.kafka_sasl_username is None or settings.kafka_sasl_password is None:
        raise StartupFailed("SASL needs ARCHON_KAFKA_SASL_USERNAME and ARCHON_KAFKA_SASL_PASSWORD")
    return settings.kafka_sasl_username, settings.kafka_sasl_password.get_secret_value()
