import random
from collections.abc import Sequence

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss, precision_recall_fscore_support

from archon_contracts.formats import CaseResult
from services.evaluator.metrics.calibration import (
    build_abstention,
    build_reliability,
    estimate_calibration_error,
)
from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.metrics.metric import Evidence, Measurement
from tests.unit.evaluator.metrics.cases import case


def measured(name: str, cases: Sequence[CaseResult]) -> dict[str, Measurement]:
    return dict(own_metrics()[name].measure(Evidence(cases)))


@pytest.fixture(scope="module")
def answers() -> list[CaseResult]:
    chance = random.Random(3)
    labels = [f"label-{number}" for number in range(7)]
    found = []
    for number in range(300):
        target = chance.choice(labels)
        output = target if chance.random() < 0.7 else chance.choice([*labels, "never asked"])
        found.append(case(number, target=target, output=output, score=chance.random()))
    return found


@pytest.mark.parametrize(("place", "figure"), [(0, "precision"), (1, "recall"), (2, "f1")])
def test_macro_and_class_figures_are_those_of_scikit_learn(
    answers: list[CaseResult], place: int, figure: str
) -> None:
    targets, outputs = [c.target for c in answers], [c.output for c in answers]
    labels = sorted(set(targets))
    macro = precision_recall_fscore_support(targets, outputs, average="macro", zero_division=0)
    each = precision_recall_fscore_support(targets, outputs, labels=labels, zero_division=0)

    found = measured(f"macro_{figure}", answers)["all"].estimate
    classes = measured(f"class_{figure}", answers)

    assert found is not None
    assert found.value == pytest.approx(macro[place])
    assert found.low < found.value < found.high
    assert [classes[name].estimate.value for name in labels] == pytest.approx(each[place])  # type: ignore[union-attr]
    assert "never asked" not in classes


def test_the_interval_of_macro_f1_covers_the_true_one_about_as_often_as_it_says() -> None:
    """Of 60 samples at least 50 cover the figure of the population that they come from."""
    rng = np.random.default_rng(1)
    names, hits = ("a", "b", "c"), 0
    rows = [(t, o) for t in names for o in names for _ in range(8 if t == o else 1)]
    truth = precision_recall_fscore_support(*zip(*rows, strict=True), average="macro")[2]
    for _ in range(60):
        sample = rng.integers(len(rows), size=150)
        cases = [case(n, target=rows[i][0], output=rows[i][1]) for n, i in enumerate(sample)]
        found = measured("macro_f1", cases)["all"].estimate
        assert found is not None
        hits += found.low <= truth <= found.high

    assert hits >= 50


def test_unscored_items_are_counted_and_never_wrong() -> None:
    cases = [case(1, target="a", output="a"), case(2, output="b"), case(3, target="a", error="x")]

    found = measured("accuracy", cases)["all"]

    assert found.estimate is not None
    assert (found.estimate.value, found.estimate.n, found.unscored) == (1.0, 1, 2)


@pytest.mark.parametrize("name", sorted(own_metrics()))
def test_a_metric_without_evidence_has_a_reason_and_no_figure(name: str) -> None:
    found = own_metrics()[name].measure(Evidence([case(output="b", refused=None, error="gone")]))

    assert all(each.estimate is None and each.reason for each in found.values())
    assert found


def test_text_similarity_is_the_mean_of_sacrebleus_chrf() -> None:
    texts = [("a cat sat", "the cat sat"), ("no", "completely different"), ("same", "same")]
    cases = [case(n, output=o, target=t) for n, (o, t) in enumerate(texts)]
    expected = np.mean([CHRF().sentence_score(o, [t]).score / 100 for o, t in texts])

    found = measured("text_similarity", cases)["all"].estimate

    assert found is not None
    assert found.value == pytest.approx(expected)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_confidence_loss_is_scikit_learns_log_loss(answers: list[CaseResult]) -> None:
    expected = log_loss([c.correct for c in answers], [c.score for c in answers])

    found = measured("confidence_loss", answers)["all"].estimate

    assert found is not None
    assert found.value == pytest.approx(expected)


def test_reliability_is_scikit_learns_calibration_curve(answers: list[CaseResult]) -> None:
    scored = [(float(c.score or 0), bool(c.correct)) for c in answers]
    right, confidence = calibration_curve([r for _, r in scored], [c for c, _ in scored], n_bins=10)

    bins = build_reliability(scored)

    assert [each.accuracy.value for each in bins] == pytest.approx(right)
    assert [each.confidence for each in bins] == pytest.approx(confidence)
    distances = [abs(b.accuracy.value - b.confidence) * b.accuracy.n for b in bins]
    assert estimate_calibration_error(scored).value == pytest.approx(sum(distances) / 300)


def test_answers_of_equal_confidence_are_kept_together() -> None:
    points = build_abstention([(0.9, True)] * 5 + [(0.5, False)] * 5)

    assert [(p.threshold, p.coverage, p.accuracy.value) for p in points] == [
        (0.9, 0.5, 1.0),
        (0.5, 1.0, 0.5),
    ]


def test_an_answer_that_was_not_given_is_a_task_that_failed() -> None:
    cases = [case(1, target="a", output="a"), case(2, target="a", error="no answer within 1 s")]

    found = measured("task_success", cases)["all"].estimate

    assert found is not None
    assert (found.value, found.n) == (0.5, 2)


def test_groups_have_their_own_figures() -> None:
    cases = [case(n, target="a", output="ab"[n % 2], group=f"g{n % 2}") for n in range(10)]

    found = measured("accuracy", cases)

    assert {name: each.estimate.value for name, each in found.items() if each.estimate} == {
        "all": 0.5,
        "g0": 1.0,
        "g1": 0.0,
    }
