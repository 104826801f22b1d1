"""Who may put how much into the protected reference set."""

from collections import Counter

from services.data_prep.sampling.reference_set import (
    ITEMS_PER_RATER,
    ITEMS_PER_WINDOW,
    REFERENCE_CAPACITY,
    ReferenceCandidate,
    select_candidates,
    select_reference,
)
from tests.support.data.datasets import item


def candidates(count: int, *, version: int = 1, vouched: bool = False, **fields: object):
    """Items of one dataset; a unit named `each` stands for one unit per item."""
    return [
        ReferenceCandidate(
            item(
                f"question {version} {fields.get('unit', '')} {n}",
                f"target {n % 3}",
                **{**fields, "unit": f"u{version}-{n}"} if fields.get("unit") == "each" else fields,
            ),
            version,
            vouched,
        )
        for n in range(count)
    ]


def test_items_of_a_person_are_all_taken() -> None:
    provided = candidates(50, source="external")
    reviewed = candidates(50, version=2, vouched=True)

    assert len(select_reference([*provided, *reviewed], 0)) == 100


def test_a_rater_gives_few_items_however_many_windows_it_fills() -> None:
    windows = [each for n in range(1, 9) for each in candidates(30, version=n, unit="eve")]

    assert len(select_reference(windows, 0)) == ITEMS_PER_RATER


def test_feedback_without_a_unit_is_one_rater() -> None:
    assert len(select_reference(candidates(200), 0)) == ITEMS_PER_RATER


def test_a_window_of_many_raters_gives_few_items() -> None:
    windows = [each for n in (1, 2) for each in candidates(100, version=n, unit="each")]

    chosen = Counter(i.input.split()[1] for i in select_reference(windows, 0))

    assert chosen == {"1": ITEMS_PER_WINDOW, "2": ITEMS_PER_WINDOW}


def test_what_was_taken_stays_when_more_comes() -> None:
    first = candidates(40, source="external")
    later = [each for n in range(2, 9) for each in candidates(100, version=n, unit="each")]

    before = {i.key for i in select_reference([*first, *later[:100]], 3)}
    after = {i.key for i in select_reference([*first, *later], 3)}

    assert before < after


def test_the_set_is_bounded() -> None:
    assert len(select_reference(candidates(900, vouched=True), 0)) == REFERENCE_CAPACITY


def test_synthetic_and_replayed_items_are_never_asked() -> None:
    parts = [item("a", source="synthetic"), item("b", source="replay"), item("c")]

    assert [i.key for i in select_candidates(parts, 0)] == ["c"]
