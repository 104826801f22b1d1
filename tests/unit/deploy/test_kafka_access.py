"""The ACL table says what the code does: what services construct, and what they subscribe to."""

import ast
import importlib
import inspect
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from archon_contracts.catalogue import CONTRACTS
from archon_contracts.namespace import Namespace
from archon_contracts.topics import ALL_TOPICS, AUDIT, FEEDBACK, SERVICES, Topic, dead_letters
from deploy.kafka_access import (
    AGENT,
    READERS,
    ROLES,
    WRITERS,
    Resource,
    build_commands,
    list_grants,
    list_groups,
)
from shared.kafka.broker import Router

ROOT = Path(__file__).parents[3]
BY_NAME = {contract.__name__: contract for contract in CONTRACTS}


def routers(service: str) -> Iterator[Router]:
    """What a service subscribes to; nothing is called, so nothing is behind the handlers."""
    module = importlib.import_module(f"services.{service}.handlers")
    for name, build in vars(module).items():
        if name.startswith("build_") and inspect.isfunction(build):
            arguments = dict.fromkeys(inspect.signature(build).parameters)
            if "feedback_batch" in arguments:
                arguments["feedback_batch"] = 1
            yield build(**arguments)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_read_what_it_subscribes_to_and_nothing_else(service: str) -> None:
    subscriptions = [each for router in routers(service) for each in router.subscriptions]

    read = {topic for each in subscriptions for topic in each.topics}
    groups = {each.group_id for each in subscriptions}
    assert read == {topic for topic, roles in READERS.items() if service in roles}
    grants = list_grants(service)
    assert groups == {grant.name for grant in grants if grant.resource is Resource.GROUP}


def constructed(service: str) -> set[Topic]:
    """Topics of the contracts that a service makes."""
    found = {dead_letters(service)}
    for path in (ROOT / "services" / service).rglob("*.py"):
        text = path.read_text()
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        names = {each.id for each in calls if isinstance(each, ast.Name)} & BY_NAME.keys()
        found |= {BY_NAME[name].topic for name in names}
        if "_audit.append(" in text:  # shared/audit.py makes the event
            found.add(AUDIT)
    return found | ({FEEDBACK} if service == "gateway" else set())  # it passes bytes on


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_write_what_it_makes_and_nothing_else(service: str) -> None:
    assert constructed(service) == {topic for topic, roles in WRITERS.items() if service in roles}


def test_every_topic_has_a_writer_and_a_reader() -> None:
    assert set(WRITERS) == set(READERS) == set(ALL_TOPICS)


def test_an_agent_sends_feedback_and_reads_deployments_alone() -> None:
    grants = {(grant.operation, grant.name) for grant in list_grants(AGENT)}

    assert grants == {
        ("Write", "archon.feedback.v1"),
        ("Read", "archon.agent-configurations.v1"),
    }


def test_only_the_setup_may_do_something_to_the_cluster() -> None:
    holders = defaultdict(set)
    for role in ROLES:
        for grant in list_grants(role):
            holders[grant.resource].add(role)

    assert holders[Resource.CLUSTER] == {"setup"}


def test_the_commands_grant_all_of_the_table_and_no_more() -> None:
    space = Namespace("blue")

    granted = set()
    for command in build_commands(
        bootstrap_servers="kafka:9092", pattern="User:acme {role}", namespace=space
    ):
        words = shlex.split(command)
        principal = words[words.index("--allow-principal") + 1]
        place = next(w for w in words if w in ("--topic", "--group", "--cluster"))
        name = "kafka-cluster" if place == "--cluster" else words[words.index(place) + 1]
        for index, word in enumerate(words):
            if word == "--operation":
                granted.add((principal, place[2:], name, words[index + 1]))

    assert granted == {
        (f"User:acme {role.replace('_', '-')}", g.resource.value, g.name, g.operation)
        for role in ROLES
        for g in list_grants(role, space)
    }
    named = {name for _, place, name, _ in granted if place != "cluster"}
    assert all(name.startswith("blue.archon.") for name in named)
    assert set(list_groups(space)) <= named
