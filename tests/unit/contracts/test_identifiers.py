"""Identifiers: UUIDv7 by RFC 9562, and derived ones that never change."""

from __future__ import annotations

import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.identifiers import derived_id, feedback_event_id, new_id

texts = st.text(max_size=20)


def test_new_ids_are_version_seven_of_the_rfc_variant() -> None:
    ids = [new_id() for _ in range(1000)]

    assert {made.version for made in ids} == {7}
    assert {made.variant for made in ids} == {RFC_4122}
    assert len(set(ids)) == 1000


def test_a_new_id_begins_with_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000

    assert before <= made.int >> 80 <= after


def test_ids_of_a_later_millisecond_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(10**18, 10**18 + 50 * 10**6, 10**6))
    monkeypatch.setattr("archon_contracts.identifiers.time.time_ns", lambda: next(moments))

    ids = [new_id() for _ in range(50)]

    assert ids == sorted(ids)
    assert [str(made) for made in ids] == sorted(str(made) for made in ids)


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_derived_id_depends_on_its_parts_alone(parts: list[str]) -> None:
    assert derived_id(*parts) == derived_id(*parts)
    assert derived_id(*parts).version == 5


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_other_parts_derive_another_id(left: list[str], right: list[str]) -> None:
    separator = "\x1f"
    if separator.join(left) != separator.join(right):
        assert derived_id(*left) != derived_id(*right)


def test_parts_are_distinguished_by_where_they_end() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")


def test_a_derived_id_is_the_same_in_every_release() -> None:
    known = UUID("2c364461-c684-5d5c-8f7d-571c57ea17b2")

    assert feedback_event_id("default", "tool-picker", "req-1", "user") == known
