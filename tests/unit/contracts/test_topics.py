"""Topics and consumer groups have names that distinguish them."""

from __future__ import annotations

from archon_contracts import topics


def test_no_two_topics_share_a_name() -> None:
    names = [topic.name for topic in topics.ALL_TOPICS]

    assert sorted(names) == sorted(set(names))


def test_topic_names_are_lower_case_dotted_and_versioned() -> None:
    for topic in topics.ALL_TOPICS:
        assert topic.name.startswith("archon.")
        assert topic.name.endswith(".v1")
        assert set(topic.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_only_the_configuration_topic_is_compacted() -> None:
    compacted = [topic for topic in topics.ALL_TOPICS if topic.compacted]

    assert compacted == [topics.AGENT_CONFIGURATIONS]


def test_every_service_has_a_dead_letter_topic_of_its_own() -> None:
    names = {topics.dead_letters(service).name for service in topics.SERVICES}

    assert len(names) == len(topics.SERVICES)


def test_consumer_groups_are_named_for_service_and_purpose() -> None:
    assert topics.consumer_group("data_prep") == "archon.data-prep"
    assert topics.consumer_group("coordinator", "feedback") == "archon.coordinator.feedback"
