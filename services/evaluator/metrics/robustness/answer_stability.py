"""Proportion of perturbed inputs with the answer of the original."""

from __future__ import annotations

from collections.abc import Mapping

from archon_contracts.values import ALL_ITEMS, MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Evidence, Measurement, Metric

NOTHING = "the suite names no perturbations"


def measure(evidence: Evidence) -> Mapping[str, Measurement]:
    """Over perturbed cases; no right answer is needed. The group is the perturbation."""
    originals = {
        (case.id, case.repeat): case.output
        for case in evidence.cases
        if not case.perturbation and not case.error
    }
    perturbed = [case for case in evidence.cases if case.perturbation]
    same = {
        (case.id, case.repeat): case.output == originals.get((case.variant_of, case.repeat))
        for case in perturbed
        if not case.error and (case.variant_of, case.repeat) in originals
    }
    groups = {ALL_ITEMS: perturbed}
    for case in perturbed:
        groups.setdefault(case.perturbation, []).append(case)
    return {
        name: proportion(cases, lambda case: same.get((case.id, case.repeat)), NOTHING)
        for name, cases in groups.items()
    }


METRIC = Metric(
    name="answer_stability",
    family=MetricFamily.ROBUSTNESS,
    summary="proportion of perturbed inputs with the answer of the original",
    measure=measure,
    specification=("Adversarial robustness",),
)
