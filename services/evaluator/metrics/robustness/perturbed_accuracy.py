"""Accuracy on perturbed inputs; the group is the perturbation."""

from __future__ import annotations

from collections.abc import Mapping

from archon_contracts.values import ALL_ITEMS, MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Evidence, Measurement, Metric

NOTHING = "the suite names no perturbations, or the perturbed cases have no right answer"


def measure(evidence: Evidence) -> Mapping[str, Measurement]:
    """Over perturbed cases, together and by perturbation."""
    perturbed = [case for case in evidence.cases if case.perturbation]
    kinds = sorted({case.perturbation for case in perturbed})
    return {ALL_ITEMS: proportion(perturbed, lambda case: case.correct, NOTHING)} | {
        kind: proportion(
            [case for case in perturbed if case.perturbation == kind],
            lambda case: case.correct,
            NOTHING,
        )
        for kind in kinds
    }


METRIC = Metric(
    name="perturbed_accuracy",
    family=MetricFamily.ROBUSTNESS,
    summary="accuracy on perturbed inputs; the group is the perturbation",
    measure=measure,
    specification=("Performance on edge cases", "Adversarial robustness"),
)
