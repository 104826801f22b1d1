"""The shared collaborators of a service, constructed in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from archon_contracts.rules.redaction import without_credentials
from shared.artifacts.signing import Signer, TrustedKeys
from shared.artifacts.store import ArtifactStore
from shared.audit import AuditLog
from shared.clock import SystemClock
from shared.errors import StartupFailed
from shared.kafka.broker import Broker
from shared.kafka.retry_policy import RetryPolicy
from shared.messaging.inbox import Inbox
from shared.messaging.notifier import Notifier
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Database
from shared.process.health import Health
from shared.settings import ServiceSettings
from shared.telemetry.store import TelemetryStore
from shared.work.ports import WorkHandler
from shared.work.queue import WorkQueue
from shared.work.worker import Worker


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """The collaborators of one service process; nothing is open yet."""

    settings: ServiceSettings
    clock: Clock
    notifier: Notifier
    database: Database
    inbox: Inbox
    outbox: Outbox
    audit: AuditLog
    retry_policy: RetryPolicy
    work: WorkQueue
    broker: Broker
    artifacts: ArtifactStore
    telemetry: TelemetryStore
    health: Health

    @classmethod
    def build(cls, settings: ServiceSettings, *, clock: Clock | None = None) -> Self:
        """Construct everything; connects to nothing. Without a clock, the machine's."""
        clock = clock or SystemClock()
        notifier = Notifier()
        database = Database(
            settings.database_url.get_secret_value(),
            settings.service,
            pool_size=settings.database_pool_size,
            role=settings.database_role,
        )
        outbox = Outbox(settings.service, clock, shards=settings.outbox_shards)
        retry_policy = RetryPolicy(
            database,
            outbox,
            notifier,
            max_attempts=settings.handler_attempts,
            handler_timeout_seconds=settings.handler_timeout_seconds,
        )
        return cls(
            settings=settings,
            clock=clock,
            notifier=notifier,
            database=database,
            inbox=Inbox(database, notifier),
            outbox=outbox,
            audit=AuditLog(settings.service, outbox, clock),
            retry_policy=retry_policy,
            work=WorkQueue(database, notifier, lease_seconds=settings.lease_seconds),
            broker=Broker(settings, retry_policy),
            artifacts=build_artifacts(settings),
            telemetry=TelemetryStore(database, settings.service),
            health=Health(settings.service),
        )

    def worker(self, handlers: Mapping[str, WorkHandler], *, slots: int = 1) -> Worker:
        """A worker of this service's queue, woken by its commits."""
        return Worker(self.work, handlers, self.notifier.add_waiter(), slots=slots)


def build_artifacts(settings: ServiceSettings) -> ArtifactStore:
    """The artifact store, with its keys."""
    place = urlsplit(settings.artifacts_url)
    if place.username is not None or place.password is not None:
        raise StartupFailed(
            "ARCHON_ARTIFACTS_URL holds a user or a password, and it is part of every event: set "
            "them by the store's own variables, such as AWS_ACCESS_KEY_ID"
        )
    secret = settings.artifacts_signing_key
    signer = Signer(secret.get_secret_value()) if secret else None
    keys = _split(settings.artifacts_trusted_keys)
    if not keys and signer:
        keys = [signer.public_key]
    trusted = TrustedKeys(keys) if keys else None
    makers = _split(settings.artifacts_model_keys)
    model_makers = TrustedKeys(makers, "ARCHON_ARTIFACTS_MODEL_KEYS") if makers else None
    try:
        return ArtifactStore(
            settings.artifacts_url,
            signer=signer,
            trusted=trusted,
            model_makers=model_makers,
            cache_dir=settings.artifacts_cache_dir,
            cache_bytes=settings.artifacts_cache_bytes,
        )
    except (ValueError, ImportError, OSError) as error:
        # Not `from error`: fsspec's own text quotes the URL, whose password a log would keep.
        reason = without_credentials(str(error))
        raise StartupFailed(
            f"ARCHON_ARTIFACTS_URL {settings.artifacts_url} cannot be used ({reason}); "
            "for s3:// install the extra s3 from the checkout: pip install '.[s3]'"
        ) from None


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",") if key.strip()]
