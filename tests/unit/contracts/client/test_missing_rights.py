"""A missing right is named: who, what, on which resource, and the command that grants it."""

from __future__ import annotations

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)

from archon_contracts.client import producer as producer_module
from archon_contracts.client.errors import SendRefusedError
from archon_contracts.client.producer import OutgoingRecord, ReliableProducer
from archon_contracts.client.security import KafkaSecurity, describe_missing_right, principal_in


def test_each_kind_of_right_has_its_command() -> None:
    found = [
        describe_missing_right(error, principal="User:a", operation="Write", group="g")
        for error in (
            TopicAuthorizationFailedError("t"),
            TopicAuthorizationFailedError({"t", "s"}),
            GroupAuthorizationFailedError("other"),
            ClusterAuthorizationFailedError(),
        )
    ]

    assert [text.partition("kafka-acls.sh ")[2] for text in found] == [
        "--add --allow-principal 'User:a' --operation Write --topic t",
        "--add --allow-principal 'User:a' --operation Write --topic s --topic t",
        "--add --allow-principal 'User:a' --operation Read --group g",
        "--add --allow-principal 'User:a' --operation IdempotentWrite --cluster",
    ]


def test_the_principal_is_whom_the_client_says_it_is() -> None:
    user = {"username": "a", "password": "p", "tls": False}
    oauth = {"mechanism": "OAUTHBEARER", "token_url": "https://idp.example/token"}
    assert principal_in({}) == "User:ANONYMOUS"
    assert principal_in(KafkaSecurity(mechanism="PLAIN", **user).connection()) == "User:a"
    assert principal_in(KafkaSecurity(**user, **oauth).connection()) == "User:a"
    assert "certificate" in principal_in(KafkaSecurity().connection())


async def test_a_sender_without_the_right_hears_which(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_producer: object, _records: object) -> None:
        raise TopicAuthorizationFailedError("archon.feedback.v1")

    sender = ReliableProducer("127.0.0.1:9", required_topics=[], connection={})
    monkeypatch.setattr(producer_module.ReliableProducer, "_deliver", refuse)

    with pytest.raises(SendRefusedError, match=r"User:ANONYMOUS Write on topic archon\.feedback"):
        await sender.deliver([OutgoingRecord("archon.feedback.v1", b"k", b"v", [])])
