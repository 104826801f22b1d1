"""The hash chain of the audit log: how an entry is hashed, and where a chain is broken.

An entry's hash is the sha256 of its canonical JSON: the fields of `HASHED_FIELDS`, and `format`;
keys sorted, no spaces, UTF-8, ids in lower case, times in UTC (`2026-03-01T12:00:00.000000+00:00`).
An entry holds text, null and one whole number only, and for those this is RFC 8785. `previous_hash`
is among the fields, so each entry vouches for all before it: whoever keeps the newest hash can
prove that none was changed, removed, inserted or moved since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

# Hashed with each entry, so that an entry of a later form cannot pass for one of this form.
FORMAT: Final = "archon.audit.v1"
GENESIS_HASH: Final = "0" * 64
"""What stands for the hash before the first entry."""
HASHED_FIELDS: Final = (
    "tenant_id",
    "chain",
    "sequence",
    "entry_id",
    "recorded_at",
    "actor",
    "action",
    "agent_id",
    "subject",
    "reason",
    "details",
    "changes",
    "cause_id",
    "trace_id",
    "previous_hash",
)


def canonical_json(entry: Mapping[str, Any]) -> bytes:
    """What is hashed: the entry without its hash, in the one form that it has."""
    content = {name: _to_plain(entry[name]) for name in HASHED_FIELDS} | {"format": FORMAT}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def compute_hash(entry: Mapping[str, Any]) -> str:
    """An entry's hash, in hex. The entry is a row, or an event's `model_dump()`."""
    return hashlib.sha256(canonical_json(entry)).hexdigest()


def _to_plain(value: object) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case UUID():
            return str(value)
        case tuple():
            return list(value)
        case _:
            return value


@dataclass(slots=True)
class ChainVerifier:
    """Follows one chain, entry by entry in order of sequence; the first fault is kept.

    A chain that lost its end is still whole: compare `sequence` and `hash` with a head that was
    kept elsewhere.
    """

    entries: int = 0
    sequence: int = 0
    hash: str = GENESIS_HASH
    broken_at: int | None = None
    problem: str = ""
    gaps: list[tuple[int, int]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every entry so far is as it was written, and none is missing between them."""
        return self.broken_at is None

    def add(self, entry: Mapping[str, Any]) -> None:
        """Check the next entry."""
        sequence, expected = entry["sequence"], self.sequence + 1
        if sequence > expected:
            self.gaps.append((expected, sequence - 1))
            self._break(expected, f"entries {expected} to {sequence - 1} are missing")
        elif sequence < expected:
            self._break(sequence, f"there are two entries of sequence {sequence}")
        elif entry["previous_hash"] != self.hash:
            self._break(sequence, f"entry {sequence} does not follow the one before it")
        if compute_hash(entry) != entry["hash"]:
            self._break(sequence, f"entry {sequence} is not as it was written")
        self.entries += 1
        # Goes on from the stored hash: one changed entry must not make all later ones look changed.
        self.sequence, self.hash = sequence, entry["hash"]

    def _break(self, sequence: int, problem: str) -> None:
        if self.broken_at is None:
            self.broken_at, self.problem = sequence, problem
