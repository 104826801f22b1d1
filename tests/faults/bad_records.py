"""Records that no reader should trip over: known bad ones, odd ones, and fuzzed ones."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from archon_contracts.base import Contract
from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import derived_id
from archon_contracts.topics import Topic

Headers = list[tuple[str, bytes | None]]
HUGE_BYTES = (10_000_000, 1_500_000, 1_047_900, 1_000_000)
DEEP_LEVELS = 100_000


@dataclass(frozen=True, slots=True)
class Record:
    """One record to send. `fate`: it must be set aside, or may be taken as well."""

    kind: str
    topic: Topic
    value: bytes | None
    headers: Headers
    key: bytes | None = b"default/agent"
    must_be_aside: bool = True


class BadRecords:
    """Makes records from a seed; each has an id in its `ce_id`, unless that is what is wrong."""

    def __init__(self, chance: random.Random, agent_id: str) -> None:
        self._chance = chance
        self._agent_id = agent_id
        self._made = 0

    def known(self) -> Iterator[Record]:
        """One of each kind that must be set aside, for feedback and for commands."""
        for contract in (FeedbackReceived, ConfigureAgent):
            good = self._good_body(contract)
            yield from (self._of(contract, kind, value) for kind, value in self._bodies(good))
            yield from self._bad_headers(contract, json.dumps(good).encode())

    def huge(self) -> Iterator[Record]:
        """Megabytes, up to what the broker takes; sent compressed they are a bomb."""
        for contract in (FeedbackReceived, ConfigureAgent):
            for size in HUGE_BYTES:
                good = self._good_body(contract) | {"context": "x" * size, "agent_id": 7}
                yield self._of(contract, f"huge, {size:,} bytes", json.dumps(good).encode())

    def odd(self) -> Iterator[Record]:
        """Strange but readable: they may be taken, and must not vanish."""
        good = self._good_body(FeedbackReceived)
        value = json.dumps(good).encode()
        yield self._odd("wrong key", value, key=b"default/somebody-else")
        yield self._odd("no key", value, key=None)
        yield self._odd("odd headers", value, extra=[("odd", b"\xff\xfe"), ("null", None)])
        later = json.dumps(good | {"occurred_at": "2999-01-01T00:00:00Z"}).encode()
        yield self._odd("future time", later, extra=[("ce_time", b"2999-01-01T00:00:00Z")])
        yield self._odd("unknown field", json.dumps(good | {"colour": "blue"}).encode())
        yield self._odd("null character", json.dumps(good | {"actual": "a\x00b"}).encode())
        yield self._odd("surrogate", value.replace(b'"good"', b'"\\ud800"'))

    def fuzzed(self) -> Record:
        """A good body with a few bytes changed, cut out, or doubled."""
        body = bytearray(json.dumps(self._good_body(FeedbackReceived)).encode())
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
        return self._odd("fuzzed", bytes(body))

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

    def _bad_headers(self, contract: type[Contract], value: bytes) -> Iterator[Record]:
        kind, topic = contract.message_type().encode(), contract.topic
        version = kind.rpartition(b".")[0] + b".v9"
        for name, ce_type in (
            ("unknown version", version),
            ("unknown type", b"archon.NoSuch.v1"),
            ("null type", None),
            ("bad type", b"\xff\xfe"),
        ):
            yield Record(name, topic, value, [("ce_type", ce_type), ("ce_id", self._id())])
        yield Record("no headers", topic, value, [])

    def _of(self, contract: type[Contract], kind: str, value: bytes | None) -> Record:
        headers: Headers = [
            ("ce_type", contract.message_type().encode()),
            ("ce_id", self._id()),
        ]
        return Record(kind, contract.topic, value, headers)

    def _odd(
        self, kind: str, value: bytes, *, key: bytes | None = b"k", extra: Headers | None = None
    ) -> Record:
        record = self._of(FeedbackReceived, kind, value)
        headers = record.headers + (extra or [])
        return Record(kind, record.topic, value, headers, key, must_be_aside=False)

    def _good_body(self, contract: type[Contract]) -> dict[str, object]:
        self._made += 1
        if contract is FeedbackReceived:
            return {
                "agent_id": self._agent_id,
                "interaction_id": f"bad-{self._made}",
                "input": "what to do",
                "actual": "good",
                "expected": "bad",
                "rating": 2,
                "context": {"a": [1, 2.5, None, True]},
            }
        profile = {"agent_id": f"new-{self._made}", "kind": "classifier", "base_model": "pypi:x"}
        return {"agent_id": f"new-{self._made}", "profile": profile}

    def _id(self) -> bytes:
        self._made += 1
        return str(derived_id("bad", self._chance.random(), self._made)).encode()


TROUBLE = (
    b"\x00", b"\xff", b'"', b"\\", b"\\u0000", b"\\ud800", b"1e999", b"-0", b"NaN", b"Infinity",
    b"[" * 200, b"{}", b",,", b":", b"null", b"\xe2\x80\xae", b"\xf0\x9f\x92\xa5", b"999999999999",
)  # fmt: skip
