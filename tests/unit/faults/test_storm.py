"""How the storm checks windows: each way in which they can be wrong is reported."""

import hashlib
from dataclasses import replace

import pytest

from tests.faults.scenarios.storm import MINIMUM, Claimed, wrong_windows

COUNT = MINIMUM + 5
IDS = {name: frozenset(f"{name}-{n}" for n in range(COUNT)) for name in ("a", "b")}
UNCLAIMED = {"a": COUNT, "b": COUNT}


def window(agent: str, ids: frozenset[str], sequence: int = 1) -> Claimed:
    digest = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    return Claimed(agent, sequence, len(ids), digest, ids)


GOOD = [window("a", IDS["a"]), window("b", IDS["b"])]
FEW = frozenset(sorted(IDS["a"])[: MINIMUM - 1])


def test_right_windows_have_no_problem() -> None:
    assert wrong_windows(GOOD, 1, UNCLAIMED, IDS) == []


@pytest.mark.parametrize(
    ("windows", "problem"),
    [
        (GOOD[:1], "1 agents with a window too many or too few"),
        ([*GOOD, window("a", IDS["a"], 2)], "more than 1 windows"),
        ([window("a", FEW), GOOD[1]], "a claimed 59"),
        ([replace(GOOD[0], count=COUNT - 1), GOOD[1]], "holds 65 and says 64"),
        ([replace(GOOD[0], digest="0"), GOOD[1]], "digest of other feedback events"),
        ([window("a", IDS["a"] | {"b-1"}), GOOD[1]], "never sent for it"),
        ([window("a", IDS["a"] | {"b-1"}), GOOD[1]], "share feedback events"),
    ],
)
def test_wrong_windows_are_reported(windows: list[Claimed], problem: str) -> None:
    assert any(problem in found for found in wrong_windows(windows, 1, UNCLAIMED, IDS))


def test_an_agent_below_the_minimum_must_have_none() -> None:
    assert wrong_windows(GOOD, 1, {"a": COUNT, "b": MINIMUM - 1}, IDS) != []


def test_a_later_round_claims_all_that_is_left() -> None:
    later = [*GOOD, window("a", FEW | {"a-64"}, 2)]

    assert any("a claimed" in found for found in wrong_windows(later, 2, {"a": 100, "b": 0}, IDS))
