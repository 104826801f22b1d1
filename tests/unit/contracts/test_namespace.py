"""A namespace stands before every name on Kafka, and nowhere else."""

from __future__ import annotations

import re

import pytest

from archon_contracts.client.producer import NamespacedProducer
from archon_contracts.namespace import NAMESPACE_PATTERN, NO_NAMESPACE, Namespace
from archon_contracts.topics import ALL_TOPICS, SERVICES, consumer_group


@pytest.mark.parametrize("name", ["", "a", "team-a", "9", "a" * 40])
def test_every_name_of_a_namespace_is_one_that_kafka_takes(name: str) -> None:
    namespace = Namespace(name)

    assert re.fullmatch(NAMESPACE_PATTERN, name)
    names = [topic.name for topic in ALL_TOPICS] + [consumer_group(each) for each in SERVICES]
    for plain in names:
        qualified = namespace.qualify(plain)
        assert re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", qualified)
        assert namespace.plain(qualified) == plain


@pytest.mark.parametrize("name", ["A", "-a", "a-", "a.b", "a_b", "a b", "é", "a" * 41])
def test_a_name_that_could_be_taken_for_another_is_refused(name: str) -> None:
    assert not re.fullmatch(NAMESPACE_PATTERN, name)


def test_without_a_namespace_names_are_as_they_always_were() -> None:
    assert NO_NAMESPACE.prefix == ""
    assert NO_NAMESPACE.qualify("archon.jobs.v1") == "archon.jobs.v1"


def test_a_name_of_another_namespace_stays_as_it_is() -> None:
    assert Namespace("a").plain("ab.archon.jobs.v1") == "ab.archon.jobs.v1"


async def test_a_producer_qualifies_its_client_and_transactional_id() -> None:
    producer = NamespacedProducer(
        namespace=Namespace("a"), client_id="intake", transactional_id="t"
    )
    try:
        assert producer.client._client_id == "a.intake"
        assert producer._txn_manager.transactional_id == "a.t"
    finally:
        await producer.stop()
