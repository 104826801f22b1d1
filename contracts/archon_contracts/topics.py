"""Every Kafka topic, its key, its partitions; consumer groups are named for the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_MS: Final = 86_400_000
DEAD_LETTER_DAYS: Final = 90
"""How long a dead letter is kept."""
REPLAY_DAYS: Final = 120
"""How old a record may be when it is replayed: kept by its topic first, then as a dead letter."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One stream. `compacted` keeps the newest record of a key for ever."""

    name: str
    key: str
    partitions: int
    compacted: bool = False
    retention_ms: int = 7 * DAY_MS

    def __str__(self) -> str:
        return self.name


SERVICES: Final = (
    "gateway",
    "coordinator",
    "curriculum",
    "data_prep",
    "synthetic_generator",
    "trainer",
    "evaluator",
    "registry",
)

# Most partitions: this stream alone grows with the users, and they bound the number of its readers.
FEEDBACK: Final = Topic("archon.feedback.v1", "agent", 12, retention_ms=30 * DAY_MS)
FEEDBACK_COUNTS: Final = Topic("archon.feedback-counts.v1", "agent", 3, retention_ms=30 * DAY_MS)
AGENTS: Final = Topic("archon.agents.v1", "agent", 3)
JOBS: Final = Topic("archon.jobs.v1", "job", 6)
CURRICULUM: Final = Topic("archon.curriculum.v1", "agent", 3)
DATASETS: Final = Topic("archon.datasets.v1", "agent", 3)
TRAINING: Final = Topic("archon.training.v1", "job", 6)
METRICS: Final = Topic("archon.metrics.v1", "job", 6)
EVALUATIONS: Final = Topic("archon.evaluations.v1", "agent", 3)
MODELS: Final = Topic("archon.models.v1", "agent", 3)
AGENT_CONFIGURATIONS: Final = Topic("archon.agent-configurations.v1", "agent", 3, compacted=True)
WORKERS: Final = Topic("archon.workers.v1", "worker", 1, retention_ms=DAY_MS)
AUDIT: Final = Topic("archon.audit.v1", "chain", 1, retention_ms=30 * DAY_MS)


def _commands(service: str, key: str, partitions: int) -> Topic:
    return Topic(f"archon.{service.replace('_', '-')}.commands.v1", key, partitions)


COORDINATOR_COMMANDS: Final = _commands("coordinator", "agent or job", 3)
CURRICULUM_COMMANDS: Final = _commands("curriculum", "agent", 3)
DATA_PREP_COMMANDS: Final = _commands("data_prep", "agent", 3)
SYNTHETIC_GENERATOR_COMMANDS: Final = _commands("synthetic_generator", "agent", 3)
TRAINER_COMMANDS: Final = _commands("trainer", "job", 6)
EVALUATOR_COMMANDS: Final = _commands("evaluator", "job", 3)
REGISTRY_COMMANDS: Final = _commands("registry", "agent", 3)

EVENT_TOPICS: Final = (
    FEEDBACK,
    FEEDBACK_COUNTS,
    AGENTS,
    JOBS,
    CURRICULUM,
    DATASETS,
    TRAINING,
    METRICS,
    EVALUATIONS,
    MODELS,
    AGENT_CONFIGURATIONS,
    WORKERS,
    AUDIT,
)
COMMAND_TOPICS: Final = (
    COORDINATOR_COMMANDS,
    CURRICULUM_COMMANDS,
    DATA_PREP_COMMANDS,
    SYNTHETIC_GENERATOR_COMMANDS,
    TRAINER_COMMANDS,
    EVALUATOR_COMMANDS,
    REGISTRY_COMMANDS,
)


def dead_letters(service: str) -> Topic:
    """Where `service` puts what it could not handle: original bytes and headers, and why."""
    name = f"archon.{service.replace('_', '-')}.dead-letter.v1"
    return Topic(name, "as received", 1, retention_ms=DEAD_LETTER_DAYS * DAY_MS)


DEAD_LETTER_TOPICS: Final = tuple(dead_letters(service) for service in SERVICES)
ALL_TOPICS: Final = EVENT_TOPICS + COMMAND_TOPICS + DEAD_LETTER_TOPICS


def consumer_group(service: str, group_suffix: str = "") -> str:
    """The Kafka consumer group of a service; `group_suffix` distinguishes two
    consumers of one service.
    """
    name = f"archon.{service.replace('_', '-')}"
    return f"{name}.{group_suffix}" if group_suffix else name
