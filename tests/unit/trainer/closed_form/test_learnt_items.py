"""Items in the sums: each is counted once, and removed exactly."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from archon_inference.encoding.learnt_vectors import LEARNT_FILE, text_digest
from services.trainer.closed_form import learnt_items
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    LearntItem,
    load_state,
    save_state,
)
from services.trainer.closed_form.statistics import fit_linear_discriminant

HIDDEN = 6
LABELS = ("a", "b", "c")


def item(number: int, target: str = "", *, weight: float = 1.0) -> LearntItem:
    generator = torch.Generator().manual_seed(number)
    label = target or LABELS[number % 3]
    vector = torch.randn(HIDDEN, generator=generator) + 3 * torch.eye(3, HIDDEN)[number % 3]
    return LearntItem(text_digest(f"text {number}"), label, weight, vector, (f"f{number}",))


def learnt(*items: LearntItem) -> ClosedFormState:
    return ClosedFormState.empty(HIDDEN).learn(items)


def head(state: ClosedFormState) -> tuple[Tensor, Tensor]:
    return fit_linear_discriminant(state.statistics, state.statistics.known(LABELS))


def assert_equal_heads(one: ClosedFormState, other: ClosedFormState) -> None:
    for ours, theirs in zip(head(one), head(other), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(0, 5))
def test_an_item_that_comes_by_both_paths_counts_once(numbers: list[int], cut: int) -> None:
    items = [item(number) for number in numbers]

    twice = learnt(*items[:cut]).learn(items)

    assert_equal_heads(twice, learnt(*{one.key: one for one in items}.values()))
    total = float(twice.statistics.weight_L.sum())
    assert total == pytest.approx(len(set(numbers)))


@given(st.sets(st.integers(0, 40), min_size=4, max_size=40), st.integers(1, 3))
def test_retracted_items_leave_the_weights_of_a_fit_without_them(
    numbers: set[int], removed: int
) -> None:
    items = [item(number) for number in sorted(numbers)]
    gone = frozenset(name for one in items[:removed] for name in one.ids)

    left = learnt(*items).unlearn(gone)

    assert_equal_heads(left, learnt(*items[removed:]))
    assert not gone & {name for one in left.items.values() for name in one.ids}


def test_two_hundred_items_of_many_are_unlearnt_exactly() -> None:
    items = [item(number) for number in range(3_000)]
    gone = frozenset(name for one in items[::15] for name in one.ids)

    left = learnt(*items).unlearn(gone)

    assert len(gone) == 200
    assert_equal_heads(left, learnt(*[one for one in items if gone.isdisjoint(one.ids)]))


def test_an_item_stays_while_other_feedback_speaks_for_it() -> None:
    both = learnt(item(1), replace(item(1), ids=("another",)))

    left = both.unlearn(frozenset({"f1"}))

    assert_equal_heads(left, both)
    assert [one.ids for one in left.items.values()] == [("another",)]
    assert left.unlearn(frozenset({"another"})).statistics.known(LABELS) == ()


def test_a_label_can_come_and_go_and_come_back() -> None:
    known, new = [item(0), item(1)], item(2)

    come = learnt(*known, new)
    gone = come.unlearn(frozenset(new.ids))
    back = gone.learn([new])

    assert come.statistics.known(LABELS) == back.statistics.known(LABELS) == LABELS
    assert gone.statistics.known(LABELS) == ("a", "b")
    assert_equal_heads(back, come)


def test_a_correction_of_the_very_same_text_replaces_the_earlier_answer() -> None:
    wrong = item(1, "a")
    right = replace(wrong, target="b", ids=("correction",))

    corrected = learnt(item(0), item(2), wrong).learn([right])

    assert_equal_heads(corrected, learnt(item(0), item(2), right))


def test_what_others_contradict_replaces_nothing() -> None:
    believed = item(1, "a")
    doubtful = replace(believed, target="b", weight=0.25, ids=("doubtful",))

    state = learnt(item(0), believed).learn([doubtful])

    assert {one.target for one in state.items.values()} == {"a", "b"}


def test_a_saved_state_is_read_back(tmp_path: Path) -> None:
    state = learnt(*[item(number) for number in range(9)])

    save_state(state, tmp_path)
    read = load_state(tmp_path)

    assert read is not None
    assert_equal_heads(read, state)
    assert [(i.key, i.ids) for i in read.items.values()] == [
        (i.key, i.ids) for i in state.items.values()
    ]


def test_a_version_of_before_has_sums_and_no_items(tmp_path: Path) -> None:
    save_state(learnt(item(0), item(1)), tmp_path)
    (tmp_path / LEARNT_FILE).unlink()

    state = load_state(tmp_path)

    assert state is not None
    assert (state.statistics.known(LABELS), state.items) == (("a", "b"), {})


def test_a_torn_file_of_items_is_as_none(tmp_path: Path) -> None:
    save_state(learnt(item(0)), tmp_path)
    (tmp_path / LEARNT_FILE).write_bytes(b"torn")

    state = load_state(tmp_path)

    assert state is not None
    assert state.items == {}


def test_texts_are_named_and_not_kept(tmp_path: Path) -> None:
    secret = "my account number is 4711"
    save_state(learnt(replace(item(0), text=text_digest(secret))), tmp_path)

    assert secret.encode() not in (tmp_path / LEARNT_FILE).read_bytes()


def test_vectors_are_bounded_and_the_sums_keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learnt_items, "MAXIMUM_ITEMS", 5)

    state = learnt(*[item(number) for number in range(8)])

    assert [one.ids for one in state.items.values()] == [(f"f{n}",) for n in range(3, 8)]
    assert float(state.statistics.weight_L.sum()) == pytest.approx(8)
