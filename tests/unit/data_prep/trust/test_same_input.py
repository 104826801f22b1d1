"""Raters that answer the very same input differently."""

from datetime import UTC, datetime

import pytest

from services.data_prep.domain import QuarantineReason
from tests.support.data.datasets import item
from tests.support.data.raters import apply_policy, count_reasons, one_each


def test_the_same_input_is_decided_by_a_clear_majority_of_units() -> None:
    voters = [item("a b c", "status", id=f"v{n}", unit=f"v{n}") for n in range(3)]
    loser = item("a b c", "refund", id="loser", unit="eve")

    result = apply_policy([loser, *voters])

    assert [(one.id, one.reason) for one in result.quarantined] == [
        ("loser", QuarantineReason.OUTVOTED)
    ]


def test_one_unit_saying_it_three_times_outvotes_nobody() -> None:
    loud = [item("a b c", "status", id=f"v{n}", unit="eve") for n in range(3)]

    result = apply_policy([item("a b c", "refund", id="one", unit="ann"), *loud])

    assert count_reasons(result) == {QuarantineReason.DISPUTED: 4}


@pytest.mark.parametrize(
    ("annotators", "reason"),
    [("nnn", QuarantineReason.DISPUTED), ("nmo", QuarantineReason.OUTVOTED)],
)
def test_annotators_outvote_by_their_number_and_not_by_that_of_their_items(
    annotators: str, reason: QuarantineReason
) -> None:
    labels = [
        item("a b c", "status", id=f"x{n}", source="human", annotators=(name,))
        for n, name in enumerate(annotators)
    ]

    result = apply_policy([item("a b c", "refund", id="one", unit="ann"), *labels])

    assert count_reasons(result) == {reason: 1}


def test_items_that_name_no_annotator_are_one_rater_together() -> None:
    labels = [item("a b c", "status", id=f"x{n}", source="human") for n in range(5)]

    result = apply_policy([item("a b c", "refund", id="one", unit="ann"), *labels])

    assert count_reasons(result) == {QuarantineReason.DISPUTED: 1}


def test_an_annotator_is_not_the_unit_of_the_same_name() -> None:
    labels = [item("a b c", "status", id="x", source="human", annotators=("u0",))]
    units = [item("a b c", "status", id=f"v{n}", unit=f"u{n}") for n in range(2)]

    result = apply_policy([item("a b c", "refund", id="one", unit="eve"), *labels, *units])

    assert count_reasons(result) == {QuarantineReason.OUTVOTED: 1}


@pytest.mark.parametrize(("keys", "quarantined"), [(1, 0), (4, 4)])
def test_units_behind_another_key_than_the_windows_are_one_rater(
    keys: int, quarantined: int
) -> None:
    """Four of them outvote one answer only where they are the window's own users."""
    voters = [
        item("a b c", "status", id=f"v{n}", unit=f"v{n}", submitted_by="other" if keys > 1 else "")
        for n in range(4)
    ]
    window = [item("a b c", "refund", id="one", unit="ann"), *voters, *one_each("status", "status")]

    result = apply_policy(window)

    assert count_reasons(result)[QuarantineReason.OUTVOTED] == (1 if keys == 1 else 0)
    assert count_reasons(result)[QuarantineReason.DISPUTED] == (quarantined + 1 if keys > 1 else 0)


def test_whoever_speaks_last_does_not_win_a_tie() -> None:
    first = item(
        "a b c", "status", id="one", unit="ann", received_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    last = item(
        "a b c", "refund", id="two", unit="eve", received_at=datetime(2026, 2, 1, tzinfo=UTC)
    )

    result = apply_policy([first, last])

    assert count_reasons(result) == {QuarantineReason.DISPUTED: 2}


def test_a_raters_own_later_answer_is_a_correction() -> None:
    first = item(
        "a b c", "status", id="one", unit="ann", received_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    last = item(
        "a b c", "refund", id="two", unit="ann", received_at=datetime(2026, 2, 1, tzinfo=UTC)
    )

    assert apply_policy([first, last]).quarantined == ()


def test_what_is_provided_wins_a_tie_with_feedback() -> None:
    provided = item("a b c", "status", id="one", source="external")

    result = apply_policy([provided, item("a b c", "refund", id="two", unit="eve")])

    assert [one.id for one in result.items] == ["one"]
