"""Which system a command talks to: the one named, or the one that was started here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr

from archon_contracts.namespace import Namespace
from deploy.cli.errors import CommandError
from deploy.demo.paths import system_folder
from deploy.gateway_client import GatewayClient
from deploy.local.credentials import random_key, read_or_create
from deploy.local.processes.status import ProcessStatus
from deploy.local.record import RuntimeRecord, running
from deploy.local.servers.choice import EXTERNAL
from deploy.local.settings import LocalSettings
from shared.artifacts.signing import Signer, TrustedKeys
from shared.artifacts.store import ArtifactStore
from shared.kafka.security import security_arguments
from shared.settings import KafkaSecuritySettings


class TargetSettings(KafkaSecuritySettings):
    """A system that was not started here, from the environment."""

    url: str | None = Field(default=None, description="Gateway, such as http://127.0.0.1:8080.")
    api_key: SecretStr | None = Field(default=None, description="API key of a tenant.")
    database_url: SecretStr | None = Field(default=None, description="postgresql://...")
    kafka_bootstrap_servers: str | None = Field(default=None, description="host:port, by commas.")
    artifacts_url: str | None = Field(default=None, description="Artifact store, file:// or s3://.")
    artifacts_signing_key: SecretStr | None = Field(default=None, description="64 hex digits.")
    artifacts_model_keys: str = Field(default="", description="Public keys of trainers, by commas.")


@dataclass(frozen=True, slots=True)
class ApiTarget:
    """A gateway and a key for it; `key_file` holds the key where it is the local system's."""

    url: str
    api_key: str = field(repr=False)
    key_file: str | None = None


def find_api(url: str | None, api_key: str | None) -> ApiTarget:
    """The gateway to talk to.

    Raises:
        CommandError: none was named and none is running here.
    """
    settings = TargetSettings()
    named_url, named_key = url or settings.url, api_key or _secret(settings.api_key)
    if named_url:
        # Never with the local system's key, which is nobody's business elsewhere.
        return ApiTarget(named_url, named_key or "")
    folder, record = local_system()
    if named_key:
        return ApiTarget(record.endpoints.gateway_url, named_key)
    path = LocalSettings(data_dir=folder).api_key_path
    return ApiTarget(record.endpoints.gateway_url, read_or_create(path), str(path))


def connect(url: str | None, api_key: str | None) -> GatewayClient:
    """The gateway to talk to, as `find_api` finds it."""
    target = find_api(url, api_key)
    return GatewayClient(target.url, target.api_key)


def kafka_target(named: str | None) -> tuple[dict[str, Any], Namespace]:
    """How to reach the broker, and the system's namespace there: the one named, or the local one's.

    Raises:
        CommandError: none was named and none is running here.
        StartupFailed: a TLS or SASL setting cannot be used.
    """
    settings = TargetSettings()
    chosen = named or settings.kafka_bootstrap_servers
    if chosen:
        arguments = {"bootstrap_servers": chosen.split(","), **security_arguments(settings)}
        return arguments, settings.kafka_namespace
    if settings.url:
        raise CommandError(
            "ARCHON_URL names a system elsewhere, but not its broker: name it with --kafka or "
            "ARCHON_KAFKA_BOOTSTRAP_SERVERS."
        )
    endpoints = local_system()[1].endpoints
    servers = {"bootstrap_servers": endpoints.kafka_bootstrap_servers.split(",")}
    # A broker that was started here is in the open, whatever is set for another one.
    security = security_arguments(settings) if endpoints.broker_kind == EXTERNAL else {}
    return servers | security, Namespace(endpoints.kafka_namespace)


def model_keys(named: str | None) -> tuple[tuple[str, ...], float]:
    """Keys of those whose models are loaded, and the pause after an empty fetch [s].

    The named keys, or those of the environment, or that of the local system's trainer; none: models
    need not be signed. The pause is that of the local broker, which does not hold fetches open.
    """
    settings = TargetSettings()
    keys = tuple(each for each in (named or settings.artifacts_model_keys).split(",") if each)
    if settings.url or settings.kafka_bootstrap_servers:
        return keys, 0.0
    try:
        folder, record = local_system()
    except CommandError:
        return keys, 0.0
    path = LocalSettings(data_dir=folder).signing_key_path("trainer")
    if not keys and path.is_file():
        keys = (Signer(path.read_text().strip()).public_key,)
    return keys, record.endpoints.idle_fetch_wait_seconds


def open_artifacts() -> ArtifactStore:
    """The artifact store: the one of ARCHON_ARTIFACTS_URL with its keys, or the local system's.

    Of the local one models are signed with its trainer's key.

    Raises:
        CommandError: none was named, and no system was started here.
    """
    settings = TargetSettings()
    if settings.artifacts_url:
        signer = _signer(_secret(settings.artifacts_signing_key))
        keys = [each for each in settings.artifacts_model_keys.split(",") if each]
        trusted = TrustedKeys(keys) if keys else None
        return ArtifactStore(settings.artifacts_url, signer=signer, model_makers=trusted)
    folder, record = local_system()
    key = LocalSettings(data_dir=folder).signing_key_path("trainer")
    signer = _signer(read_or_create(key, random_key))
    return ArtifactStore(record.endpoints.artifacts_url, signer=signer)


def _signer(key: str | None) -> Signer | None:
    return Signer(key) if key else None


def database_url() -> str:
    """The database to look into: the one of ARCHON_DATABASE_URL, or that of the local system.

    Raises:
        CommandError: none was named, and none is running here or ARCHON_URL names one elsewhere.
    """
    settings = TargetSettings()
    named = _secret(settings.database_url)
    if not named and settings.url:
        raise CommandError(
            "ARCHON_URL names a system elsewhere, but not its database: name it with "
            "ARCHON_DATABASE_URL."
        )
    return named or local_system()[1].endpoints.database_url


def local_system() -> tuple[Path, RuntimeRecord]:
    """What runs on this machine now, and its folder: that of `archon up`, else of a demo.

    Raises:
        CommandError: nothing does.
    """
    data_dir = LocalSettings().data_dir
    for folder in (data_dir, system_folder(data_dir)):
        record = running(folder)
        if record is not None:
            return folder, record
    raise CommandError(
        f"No system is running in {data_dir}: start one with `archon up`, "
        "or name one with --url or ARCHON_URL."
    )


def local_processes(gateway_url: str) -> list[ProcessStatus]:
    """The processes behind `gateway_url` where they were started on this machine, else none."""
    data_dir = LocalSettings().data_dir
    records = (running(folder) for folder in (data_dir, system_folder(data_dir)))
    mine = [r for r in records if r is not None and r.endpoints.gateway_url == gateway_url]
    return mine[0].processes if mine else []


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
