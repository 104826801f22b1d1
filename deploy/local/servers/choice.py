"""Which broker and database the local system has: those it starts, or those that are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.layout import BROKER, BROKER_CONTROLLER, POSTGRES
from deploy.local.servers.broker import EmbeddedBroker
from deploy.local.servers.external import require_broker, require_database
from deploy.local.servers.kafka_home import KafkaHome
from deploy.local.servers.kafka_node import KafkaNode
from deploy.local.servers.postgres import NOT_DURABLE, EmbeddedPostgres
from deploy.local.settings import EMBEDDED, KAFKA, LocalSettings
from shared.settings import KafkaSecuritySettings

EXTERNAL = "external"
EMBEDDED_BROKER_NOTICE = (
    "The embedded broker loses what it acknowledged in about its last second when it is killed or "
    "the power fails; to keep it, choose --broker kafka (with KAFKA_HOME) or --broker HOST:PORT."
)


@dataclass(frozen=True, slots=True)
class ChosenServers:
    """What to start, None for what runs elsewhere, and where both are reached."""

    postgres: EmbeddedPostgres | None
    broker: EmbeddedBroker | KafkaNode | None
    database_url: str
    bootstrap_servers: str
    broker_kind: str

    @classmethod
    def of(
        cls, settings: LocalSettings, data_dir: Path, ports: Mapping[str, int], logs: Path
    ) -> "ChosenServers":
        """The servers of one data directory; nothing runs yet.

        Raises:
            UnusableChoiceError: no Kafka can be run from KAFKA_HOME.
        """
        postgres: EmbeddedPostgres | None = None
        broker: EmbeddedBroker | KafkaNode | None = None
        if settings.database == EMBEDDED:
            postgres = EmbeddedPostgres(
                data_dir / "postgres",
                ports[POSTGRES],
                log_path=logs / f"{POSTGRES}.log",
                settings=None if settings.durable else NOT_DURABLE,
            )
        log = logs / f"{BROKER}.log"
        if settings.broker == EMBEDDED:
            broker = EmbeddedBroker(data_dir / "broker", ports[BROKER], log_path=log)
        elif settings.broker == KAFKA:
            home = KafkaHome.find(settings.kafka_home, settings.java_home)
            # A folder of its own: another broker's files would be in the way of the format.
            folder, controller = data_dir / "kafka", ports[BROKER_CONTROLLER]
            broker = KafkaNode(home, folder, ports[BROKER], controller, log_path=log)
        return cls(
            postgres,
            broker,
            postgres.url if postgres else settings.database,
            broker.bootstrap_servers if broker else settings.broker,
            settings.broker if broker else EXTERNAL,
        )

    @property
    def started_here(self) -> list[EmbeddedPostgres | EmbeddedBroker | KafkaNode]:
        """What the supervisor has to start."""
        return [server for server in (self.postgres, self.broker) if server is not None]

    async def require_external(self) -> None:
        """See that what runs elsewhere can be used, before anything is started.

        Raises:
            UnusableChoiceError: it cannot.
        """
        if self.postgres is None:
            await require_database(self.database_url)
        if self.broker is None:
            await require_broker(self.bootstrap_servers, KafkaSecuritySettings())
