"""Whether fine-tuning is tried, and whether its model is taken."""

import pytest
from scipy.stats import binomtest

from archon_contracts.values import AgentKind, FineTuning
from services.trainer.closed_form.choice import is_sufficient, is_taken, p_value_of_gain


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 5), (1, 0), (7, 2), (30, 31), (200, 150)])
def test_the_test_of_a_gain_is_mcnemars_exact_one(gained: int, lost: int) -> None:
    before = [False] * gained + [True] * lost + [True, False]
    now = [True] * gained + [False] * lost + [True, False]

    found = p_value_of_gain(now, before)

    changed = gained + lost
    expected = binomtest(gained, changed, alternative="greater").pvalue if changed else 1.0
    assert found == pytest.approx(expected)


def test_a_sufficient_closed_form_needs_no_fine_tuning_nor_one_without_validation_items() -> None:
    assert is_sufficient(AgentKind.CLASSIFIER, [True] * 8 + [False] * 2)
    assert not is_sufficient(AgentKind.CLASSIFIER, [True] * 7 + [False] * 3)
    assert is_sufficient(AgentKind.SELECTOR, [True] * 6 + [False] * 4)
    assert is_sufficient(AgentKind.CLASSIFIER, [])


def test_a_fine_tuned_model_is_taken_for_a_significant_gain_or_where_it_is_wanted() -> None:
    right, wrong = [True] * 6, [False] * 6

    assert is_taken(FineTuning.AUTO, right, wrong)
    assert not is_taken(FineTuning.AUTO, wrong, right)
    assert is_taken(FineTuning.ALWAYS, wrong, right)
