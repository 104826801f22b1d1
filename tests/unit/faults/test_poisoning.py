"""What an attack is blamed for is what it changes."""

from types import SimpleNamespace
from typing import cast

import pytest

from tests.faults.scenarios.poisoning import Arm, _find_too_many_rejected, _problems
from tests.support.training.retraining import Retrained


def _arm(*, passed: bool = True, old: float = 0.97, success: float = 0.0) -> Arm:
    accuracy = {
        "candidate": {"old": SimpleNamespace(value=old), "new": SimpleNamespace(value=0.9)},
        "deployed": {"old": SimpleNamespace(value=0.98)},
    }
    report = SimpleNamespace(passed=passed, estimates_of=lambda _metric: accuracy)
    return Arm("arm", cast("Retrained", SimpleNamespace(report=report)), success, success)


UNTRUSTED = _arm(passed=False, success=1.0)


def test_a_held_attack_beside_honest_feedback_is_no_problem() -> None:
    assert _problems(_arm(), _arm(), UNTRUSTED) == []


def test_the_attacker_is_not_blamed_for_what_the_gate_refuses_without_him() -> None:
    refused = _arm(passed=False, old=0.94)
    assert _problems(refused, refused, UNTRUSTED) == []


def test_a_refusal_that_is_the_attackers_doing_is_a_problem() -> None:
    assert len(_problems(_arm(), _arm(passed=False), UNTRUSTED)) == 1
    assert len(_problems(_arm(), _arm(old=0.9), UNTRUSTED)) == 2


def test_a_lie_that_is_learnt_is_a_problem_whatever_the_gate_says() -> None:
    refused = _arm(passed=False)
    assert len(_problems(refused, _arm(passed=False, success=0.5), UNTRUSTED)) == 1


@pytest.mark.parametrize(
    ("refused", "of", "problems"), [(1, 1, 1), (0, 1, 0), (1, 5, 0), (2, 5, 1)]
)
def test_honest_feedback_does_its_work_in_most_scenarios(
    refused: int, of: int, problems: int
) -> None:
    arms = [_arm(passed=number >= refused) for number in range(of)]
    assert len(_find_too_many_rejected(arms)) == problems
