"""Records that no reader should trip over: known bad ones, odd ones, and fuzzed ones."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from archon_contracts.base import Contract
from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    InteractionLogged,
)
from archon_contracts.identifiers import derived_id
from archon_contracts.topics import Topic

Headers = list[tuple[str, bytes | None]]
HUGE_BYTES = (10_000_000, 1_500_000, 1_047_900, 1_000_000)
DEEP_LEVELS = 100_000
FEEDBACK_TYPES = (FeedbackReceived, InteractionLogged, AnnotationSubmitted, FeedbackRetracted)
ODD_NAMES = (b"\xff\xfe\xfd", b"\xc3", b"\xed\xa0\x80", b"a\x00b", b"")
ODD_TIMES = (2**61, 2**63 - 1, -(2**40))


@dataclass(frozen=True, slots=True)
class BadRecord:
    """One record to send. It must be set aside, or may be taken as well.

    `raw_headers` and `timestamp_ms` are what only librdkafka's producer sends.
    """

    kind: str
    topic: Topic
    value: bytes | None
    headers: Headers
    key: bytes | None = b"default/agent"
    must_be_aside: bool = True
    raw_headers: tuple[tuple[bytes, bytes | None], ...] = ()
    timestamp_ms: int = 0


class BadRecords:
    """Makes records from a seed; each has an id in its `ce_id`, unless that is what is wrong."""

    def __init__(self, chance: random.Random, agent_id: str) -> None:
        self._chance = chance
        self._agent_id = agent_id
        self._made = 0

    def known(self) -> Iterator[BadRecord]:
        """One of each kind that must be set aside, for feedback and for commands."""
        for contract in (*FEEDBACK_TYPES, ConfigureAgent):
            good = self._good_body(contract)
            yield from (self._of(contract, kind, value) for kind, value in self._bodies(good))
            yield from self._bad_headers(contract, json.dumps(good).encode())

        withdrawn = self._good_body(FeedbackRetracted) | {"reason": "a\x00b"}
        yield self._of(FeedbackRetracted, "null character", json.dumps(withdrawn).encode())
        named = self._of(FeedbackReceived, "null character in a header's name", b"{}")
        yield replace(named, headers=[*named.headers, ("a\x00b", b"v")])

    def raw(self) -> Iterator[BadRecord]:
        """What aiokafka's producer refuses to send, and librdkafka's sends."""
        for name in ODD_NAMES:
            odd = ((name, b"v"), (b"null", None))
            for contract in FEEDBACK_TYPES:
                value = json.dumps(self._good_body(contract)).encode()
                taken = self._of(contract, "odd header name", value)
                yield replace(taken, must_be_aside=False, raw_headers=odd)
            for contract in (FeedbackReceived, ConfigureAgent):
                bad = self._of(contract, "odd header name, bad body", b"{}")
                yield replace(bad, raw_headers=odd)
        for contract in (*FEEDBACK_TYPES, ConfigureAgent):
            yield replace(self._of(contract, "neither key nor value", None), key=None)
            yield BadRecord("nothing at all", contract.topic, None, [], key=None)
        for at in ODD_TIMES:
            for contract in FEEDBACK_TYPES:
                value = json.dumps(self._good_body(contract)).encode()
                taken = self._of(contract, "absurd time", value)
                yield replace(taken, must_be_aside=False, timestamp_ms=at)

    def huge(self) -> Iterator[BadRecord]:
        """Megabytes, up to what the broker takes; sent compressed they are a bomb."""
        for contract in (FeedbackReceived, ConfigureAgent):
            for size in HUGE_BYTES:
                good = self._good_body(contract) | {"context": "x" * size, "agent_id": 7}
                yield self._of(contract, f"huge, {size:,} bytes", json.dumps(good).encode())

    def odd(self) -> Iterator[BadRecord]:
        """Strange but readable: they may be taken, and must not vanish."""
        good = self._good_body(FeedbackReceived)
        value = json.dumps(good).encode()
        yield self._odd("wrong key", value, key=b"default/somebody-else")
        yield self._odd("no key", value, key=None)
        yield self._odd("odd headers", value, extra=[("odd", b"\xff\xfe"), ("null", None)])
        later = json.dumps(good | {"occurred_at": "2999-01-01T00:00:00Z"}).encode()
        yield self._odd("future time", later, extra=[("ce_time", b"2999-01-01T00:00:00Z")])
        yield self._odd("unknown field", json.dumps(good | {"colour": "blue"}).encode())
        for contract in (FeedbackReceived, InteractionLogged, AnnotationSubmitted):
            nul = self._good_body(contract) | {"input": "a\x00b"}
            taken = self._of(contract, "null character inside", json.dumps(nul).encode())
            yield replace(taken, must_be_aside=False)
        yield self._odd("surrogate", value.replace(b'"good"', b'"\\ud800"'))

    def fuzzed(self) -> BadRecord:
        """A good body with a few bytes changed, cut out, or doubled."""
        contract = self._chance.choice(FEEDBACK_TYPES)
        body = bytearray(json.dumps(self._good_body(contract)).encode())
        for _ in range(self._chance.randint(1, 4)):
            start = self._chance.randrange(len(body))
            end = min(len(body), start + self._chance.randint(1, 12))
            match self._chance.randrange(4):
                case 0:
                    body[start] = self._chance.randrange(256)
                case 1:
                    del body[start:end]
                case 2:
                    body[start:start] = body[start:end]
                case _:
                    body[start:start] = self._chance.choice(TROUBLE)
        fuzzed = self._of(contract, f"fuzzed {contract.__name__}", bytes(body))
        return replace(fuzzed, must_be_aside=False)

    def _bodies(self, good: dict[str, object]) -> list[tuple[str, bytes | None]]:
        value = json.dumps(good).encode()
        return [
            ("empty", b""),
            ("tombstone", None),
            ("null", b"null"),
            ("no JSON", b"{not json"),
            ("deep JSON", b"[" * DEEP_LEVELS + b"]" * DEEP_LEVELS),
            ("deep field", b'{"context":' + b'{"a":' * DEEP_LEVELS + b"1" + b"}" * DEEP_LEVELS),
            ("NaN", b'{"agent_id": NaN}'),
            ("wrong type", json.dumps(good | {"agent_id": 3}).encode()),
            ("array", b"[" + value + b"]"),
            ("bad UTF-8", value.replace(b"agent", b"\xc3\x28", 1)),
            ("truncated", value[: len(value) // 2]),
            ("compressed body", gzip.compress(value)),
            ("missing fields", b"{}"),
            ("long name", json.dumps(good | {"agent_id": "a" * 1_000}).encode()),
            ("endless number", b'{"agent_id": 1' + b"0" * 100_000 + b"}"),
        ]

    def _bad_headers(self, contract: type[Contract], value: bytes) -> Iterator[BadRecord]:
        kind, topic = contract.message_type().encode(), contract.topic
        version = kind.rpartition(b".")[0] + b".v9"
        for name, ce_type in (
            ("unknown version", version),
            ("unknown type", b"archon.NoSuch.v1"),
            ("null type", None),
            ("bad type", b"\xff\xfe"),
        ):
            yield BadRecord(name, topic, value, [("ce_type", ce_type), ("ce_id", self._id())])
        yield BadRecord("no headers", topic, value, [])

    def _of(self, contract: type[Contract], kind: str, value: bytes | None) -> BadRecord:
        headers: Headers = [
            ("ce_type", contract.message_type().encode()),
            ("ce_id", self._id()),
        ]
        return BadRecord(kind, contract.topic, value, headers)

    def _odd(
        self, kind: str, value: bytes, *, key: bytes | None = b"k", extra: Headers | None = None
    ) -> BadRecord:
        record = self._of(FeedbackReceived, kind, value)
        headers = record.headers + (extra or [])
        return BadRecord(kind, record.topic, value, headers, key, must_be_aside=False)

    def _good_body(self, contract: type[Contract]) -> dict[str, object]:
        self._made += 1
        if contract is ConfigureAgent:
            name = f"new-{self._made}"
            profile = {"agent_id": name, "kind": "classifier", "base_model": "pypi:x"}
            return {"agent_id": name, "profile": profile}
        subject = "item_id" if contract is AnnotationSubmitted else "interaction_id"
        own: dict[type[Contract], dict[str, object]] = {
            FeedbackReceived: {
                "input": "what to do",
                "actual": "good",
                "expected": "bad",
                "rating": 2,
                "context": {"a": [1, 2.5, None, True]},
            },
            InteractionLogged: {"input": "what to do", "actual": "good", "latency_seconds": 0.5},
            AnnotationSubmitted: {"annotator_id": "ann", "input": "what to do", "label": "bad"},
            FeedbackRetracted: {"source": "user", "reason": "a mistake"},
        }
        return {"agent_id": self._agent_id, subject: f"bad-{self._made}"} | own[contract]

    def _id(self) -> bytes:
        self._made += 1
        return str(derived_id("bad", self._chance.random(), self._made)).encode()


TROUBLE = (
    b"\x00", b"\xff", b'"', b"\\", b"\\u0000", b"\\ud800", b"1e999", b"-0", b"NaN", b"Infinity",
    b"[" * 200, b"{}", b",,", b":", b"null", b"\xe2\x80\xae", b"\xf0\x9f\x92\xa5", b"999999999999",
)  # fmt: skip
