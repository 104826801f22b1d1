"""Who writes and who reads what on Kafka: the ACL table by role.

A test compares it with the contracts that each service constructs and with the subscriptions that
it builds, so that a new message cannot be left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from archon_contracts import topics
from archon_contracts.namespace import NO_NAMESPACE, Namespace
from archon_contracts.topics import (
    ALL_TOPICS,
    DEAD_LETTER_TOPICS,
    SERVICES,
    Topic,
    consumer_group,
    dead_letters,
)
from shared.kafka.access_control import AccessRule

AGENT: Final = "agent"
"""An agent that sends feedback to Kafka itself and follows its deployed versions."""
OPERATOR: Final = "operator"
"""Who runs `archon topics`."""
SETUP: Final = "setup"
"""Who runs `archon setup`, with `--grant` too."""
ROLES: Final = (*SERVICES, AGENT, OPERATOR, SETUP)

READERS: Final[dict[Topic, tuple[str, ...]]] = {
    topics.FEEDBACK: ("coordinator",),
    topics.FEEDBACK_COUNTS: ("gateway", "registry"),
    topics.AGENTS: ("gateway", "registry"),
    topics.JOBS: ("gateway", "coordinator", "evaluator"),
    topics.CURRICULUM: ("gateway", "coordinator"),
    topics.DATASETS: ("gateway", "coordinator"),
    topics.TRAINING: ("gateway", "coordinator"),
    topics.METRICS: ("gateway",),
    topics.EVALUATIONS: ("gateway", "coordinator", "curriculum"),
    topics.MODELS: ("gateway", "coordinator", "data_prep"),
    topics.AGENT_CONFIGURATIONS: ("gateway", AGENT),
    topics.WORKERS: ("gateway", "coordinator"),
    topics.AUDIT: ("gateway",),
    topics.COORDINATOR_COMMANDS: ("coordinator",),
    topics.CURRICULUM_COMMANDS: ("curriculum",),
    topics.DATA_PREP_COMMANDS: ("data_prep",),
    topics.SYNTHETIC_GENERATOR_COMMANDS: ("synthetic_generator",),
    topics.TRAINER_COMMANDS: ("trainer",),
    topics.EVALUATOR_COMMANDS: ("evaluator",),
    topics.REGISTRY_COMMANDS: ("registry",),
    **{topic: ("gateway",) for topic in DEAD_LETTER_TOPICS},
}
"""Services in a group of their own."""

WRITERS: Final[dict[Topic, tuple[str, ...]]] = {
    topics.FEEDBACK: ("gateway", AGENT),
    topics.FEEDBACK_COUNTS: ("coordinator",),
    topics.AGENTS: ("coordinator",),
    topics.JOBS: ("gateway", "coordinator"),
    topics.CURRICULUM: ("curriculum",),
    topics.DATASETS: ("data_prep", "synthetic_generator"),
    topics.TRAINING: ("trainer",),
    topics.METRICS: ("trainer",),
    topics.EVALUATIONS: ("coordinator", "evaluator", "registry"),
    topics.MODELS: ("registry",),
    topics.AGENT_CONFIGURATIONS: ("registry",),
    topics.WORKERS: ("trainer",),
    topics.AUDIT: ("gateway", "coordinator", "registry"),
    topics.COORDINATOR_COMMANDS: ("gateway",),
    topics.CURRICULUM_COMMANDS: ("coordinator",),
    topics.DATA_PREP_COMMANDS: ("coordinator",),
    topics.SYNTHETIC_GENERATOR_COMMANDS: ("gateway",),
    topics.TRAINER_COMMANDS: ("coordinator",),
    topics.EVALUATOR_COMMANDS: ("gateway", "coordinator"),
    topics.REGISTRY_COMMANDS: ("gateway", "coordinator", "registry"),
    **{dead_letters(service): (service,) for service in SERVICES},
}
"""Services that send of their own accord; what the gateway replays is added in `replayed`."""

GROUP_SUFFIXES: Final = {"gateway": ("dead-letters", "metrics"), "coordinator": ("feedback",)}
"""Second groups of a service."""


class Resource(StrEnum):
    """What a right is on; named as kafka-acls names it."""

    TOPIC = "topic"
    GROUP = "group"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One right of one role."""

    role: str
    resource: Resource
    name: str
    operation: str


def replayed() -> tuple[Topic, ...]:
    """Topics to which the gateway sends dead letters again, when an operator says so."""
    return tuple(t for t, readers in READERS.items() if set(readers) & set(SERVICES))


def list_grants(role: str, namespace: Namespace = NO_NAMESPACE) -> list[Grant]:
    """Every right of a role. Kafka takes Describe as included in Read and Write."""
    return sorted({*_topic_grants(role, namespace), *_other_grants(role, namespace)})


def _topic_grants(role: str, namespace: Namespace) -> Iterator[Grant]:
    writes = {topic for topic, roles in WRITERS.items() if role in roles}
    reads = {topic for topic, roles in READERS.items() if role in roles}
    operations = {"Write": writes, "Read": reads}
    if role == "gateway":
        operations["Write"] = writes | (set(replayed()) - set(DEAD_LETTER_TOPICS))
        # To name the limit in the refusal of an event that is too large.
        operations["DescribeConfigs"] = {topics.FEEDBACK}
    if role in (OPERATOR, SETUP):
        operations["Describe"] = set(ALL_TOPICS)
    if role == SETUP:
        operations |= {name: set(ALL_TOPICS) for name in ("Create", "DescribeConfigs")}
    for operation, found in operations.items():
        for topic in found:
            yield Grant(role, Resource.TOPIC, namespace.qualify(topic.name), operation)


def _other_grants(role: str, namespace: Namespace) -> Iterator[Grant]:
    if role in SERVICES:
        for name in _groups_of(role, namespace):
            yield Grant(role, Resource.GROUP, name, "Read")
    if role == OPERATOR:
        for each in list_groups(namespace):
            yield Grant(role, Resource.GROUP, each, "Describe")
    if role == SETUP:
        # Alter lets it make these very grants; Describe lets it read the number of brokers.
        yield Grant(role, Resource.CLUSTER, CLUSTER_NAME, "Alter")
        yield Grant(role, Resource.CLUSTER, CLUSTER_NAME, "Describe")


CLUSTER_NAME: Final = "kafka-cluster"
"""The one name that Kafka has for the resource."""


def list_groups(namespace: Namespace = NO_NAMESPACE) -> list[str]:
    """Every consumer group of the services."""
    return [name for service in SERVICES for name in _groups_of(service, namespace)]


def _groups_of(service: str, namespace: Namespace) -> list[str]:
    suffixes = ("", *GROUP_SUFFIXES.get(service, ()))
    return [namespace.qualify(consumer_group(service, suffix)) for suffix in suffixes]


def principal_of_role(role: str, pattern: str) -> str:
    """The principal that a role has; `pattern` names it with `{role}`."""
    return pattern.replace("{role}", role.replace("_", "-"))


def list_rules(pattern: str, namespace: Namespace = NO_NAMESPACE) -> list[AccessRule]:
    """Every right of every role, for the principals of `pattern`."""
    return [
        AccessRule(principal_of_role(role, pattern), each.resource, each.name, each.operation)
        for role in ROLES
        for each in list_grants(role, namespace)
    ]


def build_commands(
    *, bootstrap_servers: str, pattern: str, namespace: Namespace = NO_NAMESPACE
) -> list[str]:
    """A kafka-acls command for each role and resource, with all operations on it."""
    commands = []
    for role in ROLES:
        rights: dict[tuple[Resource, str], list[str]] = {}
        for grant in list_grants(role, namespace):
            rights.setdefault((grant.resource, grant.name), []).append(grant.operation)
        for (resource, name), operations in rights.items():
            place = ["--cluster"] if resource is Resource.CLUSTER else [f"--{resource}", name]
            words = ["kafka-acls.sh", "--bootstrap-server", bootstrap_servers, "--add"]
            words += ["--allow-principal", principal_of_role(role, pattern)]
            words += [word for each in operations for word in ("--operation", each)]
            commands.append(shlex.join([*words, *place]))
    return commands


def build_table() -> str:
    """The rights by role, for the documentation."""
    lines = ["| role | writes | reads | groups | cluster and other |", "|---|---|---|---|---|"]
    for role in ROLES:
        grants = list_grants(role)
        cells = [
            _cell(g.name for g in grants if (g.resource, g.operation) == (Resource.TOPIC, "Write")),
            _cell(g.name for g in grants if (g.resource, g.operation) == (Resource.TOPIC, "Read")),
            _cell(f"{g.name} ({g.operation})" for g in grants if g.resource is Resource.GROUP),
            _describe_other(grants),
        ]
        lines.append(f"| {role} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(names: Iterator[str]) -> str:
    return "<br>".join(name.removeprefix("archon.") for name in names) or "-"


def _describe_other(grants: list[Grant]) -> str:
    found: dict[str, list[str]] = {}
    for grant in grants:
        if grant.resource is Resource.CLUSTER:
            found.setdefault(f"{grant.operation} on the cluster", [])
        elif grant.resource is Resource.TOPIC and grant.operation not in ("Read", "Write"):
            found.setdefault(f"{grant.operation} on", []).append(grant.name)
    every = len(ALL_TOPICS)
    texts = [
        f"{what} every topic" if len(names) == every else " ".join((what, *names))
        for what, names in found.items()
    ]
    return "<br>".join(texts) or "-"
