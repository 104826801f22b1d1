"""The hash chain: whatever is done to a row, to its place or to its neighbours is found."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.audit_chain import GENESIS_HASH, HASHED_FIELDS, canonical_json, compute_hash
from archon_contracts.events import AuditRecorded
from tests.support.audit import checked, linked, recorded

texts = st.text(max_size=12)
contents = st.fixed_dictionaries(
    {
        "actor": texts,
        "reason": texts,
        "agent_id": st.none() | st.just("picker"),
        "details": st.dictionaries(st.text("abc", max_size=3), texts, max_size=3),
        "changes": st.lists(
            st.fixed_dictionaries({"field": texts, "before": texts, "after": texts}), max_size=2
        ),
    }
)
chains = st.lists(contents, min_size=2, max_size=6).map(lambda given: linked(*given))
OTHERS: dict[type, list[Any]] = {
    str: ["", "other", "f" * 64],
    int: [1, 2, 3, 7, 99],
    UUID: [UUID(int=0), UUID(int=1)],
    datetime: [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)],
    dict: [{}, {"a": "changed"}, {"a": 1}, {"a": 1.5}, {"a": None}],
    list: [[], [{"field": "x", "before": "", "after": "1"}], [{}]],
    type(None): ["picker", ""],
}


@given(chains)
def test_a_chain_as_it_was_written_is_whole(chain: list[dict[str, Any]]) -> None:
    check = checked(chain)

    assert (check.ok, check.entries, check.gaps) == (True, len(chain), [])
    assert (check.sequence, check.hash) == (len(chain), chain[-1]["hash"])


@given(chains, st.data())
def test_a_change_of_any_field_of_any_row_is_found(
    chain: list[dict[str, Any]], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(chain) - 1))
    name = data.draw(st.sampled_from([*HASHED_FIELDS, "hash"]))
    others = [value for value in OTHERS[type(chain[index][name])] if value != chain[index][name]]

    chain[index] = chain[index] | {name: data.draw(st.sampled_from(others))}

    assert not checked(chain).ok


@given(chains, st.data())
def test_a_row_that_was_changed_and_hashed_anew_is_found_at_the_next_one(
    chain: list[dict[str, Any]], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(chain) - 2))
    forged = chain[index] | {"reason": chain[index]["reason"] + "!"}

    chain[index] = forged | {"hash": compute_hash(forged)}

    assert checked(chain).broken_at == index + 2


@given(chains, st.data())
def test_a_removed_row_is_found_and_named(chain: list[dict[str, Any]], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(chain) - 2))

    del chain[index]

    check = checked(chain)
    assert (check.broken_at, check.gaps) == (index + 1, [(index + 1, index + 1)])


@given(chains, st.data())
def test_a_removed_end_is_found_by_the_head_that_was_kept_elsewhere(
    chain: list[dict[str, Any]], data: st.DataObject
) -> None:
    head = (chain[-1]["sequence"], chain[-1]["hash"])

    check = checked(chain[: data.draw(st.integers(0, len(chain) - 1))])

    assert check.ok
    assert (check.sequence, check.hash) != head


@given(chains, st.data())
def test_an_inserted_row_is_found(chain: list[dict[str, Any]], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(chain) - 1))
    forged = chain[index] | {"reason": chain[index]["reason"] + "!"}

    chain.append(forged | {"hash": compute_hash(forged)})

    assert not checked(chain).ok


@given(chains, st.data())
def test_two_rows_that_changed_places_are_found(
    chain: list[dict[str, Any]], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(chain) - 2))
    second = data.draw(st.integers(first + 1, len(chain) - 1))

    chain[first], chain[second] = (
        chain[second] | {"sequence": first + 1},
        chain[first] | {"sequence": second + 1},
    )

    assert checked(chain).broken_at == first + 1


@given(chains)
def test_an_entry_has_the_same_hash_as_a_row_and_as_an_event(chain: list[dict[str, Any]]) -> None:
    for row in chain:
        row["actor"] = row["actor"] or "someone"
        row["hash"] = compute_hash(row)
        event = AuditRecorded.model_validate_json(recorded(row).to_bytes())

        assert compute_hash(event.model_dump()) == row["hash"]


def test_the_canonical_form_is_the_documented_one() -> None:
    (row,) = linked({"reason": 'Grüße\n"', "details": {"b": "2", "a": "1"}, "agent_id": None})

    assert canonical_json(row).decode() == (
        '{"action":"deployed","actor":"ci (key 1)","agent_id":null,'
        f'"cause_id":"{row["cause_id"]}","chain":"registry","changes":[],'
        f'"details":{{"a":"1","b":"2"}},"entry_id":"{row["entry_id"]}",'
        f'"format":"archon.audit.v1","previous_hash":"{GENESIS_HASH}","reason":"Grüße\\n\\"",'
        '"recorded_at":"2026-03-01T12:00:00.123456+00:00","sequence":1,"subject":"1.0.0",'
        '"tenant_id":"acme","trace_id":""}'
    )
    assert row["hash"] == hashlib.sha256(canonical_json(row)).hexdigest()


def test_a_time_is_hashed_as_the_moment_that_it_is() -> None:
    (row,) = linked({})
    elsewhere = row["recorded_at"].astimezone(timezone(timedelta(hours=5)))

    assert compute_hash(row | {"recorded_at": elsewhere}) == row["hash"]
