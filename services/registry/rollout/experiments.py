"""An experiment: two versions, what was counted of each, and where it stands. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from archon_contracts.events import FeedbackCounts
from archon_contracts.rollouts.experiment import Experiment
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from archon_contracts.values import ModelRef
from services.registry.statistics.e_process import NO_EVIDENCE, HarmProcess
from services.registry.statistics.outcomes import NO_OUTCOMES, Outcomes
from services.registry.statistics.weighted_outcomes import NOT_WEIGHTED, WeightedOutcomes


class ExperimentKind(StrEnum):
    """What is compared, and how."""

    SHADOW = "shadow"
    CANARY = "canary"
    AB_TEST = "ab_test"
    WATCH = "watch"  # a deployed version and the one before: agents see nothing of it


class ExperimentState(StrEnum):
    """Where an experiment stands. All but the first are final."""

    RUNNING = "running"
    PROMOTED = "promoted"  # the candidate is deployed
    KEPT = "kept"  # the deployed version stays; of a watch: nothing got worse
    ROLLED_BACK = "rolled_back"  # of a watch: the version before is deployed again
    CANCELLED = "cancelled"  # another version was deployed meanwhile

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self is not ExperimentState.RUNNING


MEASURE_GROWTH: Final = 1.05
"""Growth of answers and feedback from one published measure to the next."""
TESTED_MODES: Final = {
    RolloutMode.SHADOW: ExperimentKind.SHADOW,
    RolloutMode.CANARY: ExperimentKind.CANARY,
    RolloutMode.AB_TEST: ExperimentKind.AB_TEST,
}
"""Modes in which a job's version is not deployed before an experiment says so."""


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """What was counted of a version's answers; `latencies` are answers per latency bucket."""

    scored: Outcomes = NO_OUTCOMES
    interactions: int = 0
    failed: int = 0
    latencies: Mapping[int, int] = field(default_factory=dict)
    weighted: WeightedOutcomes = NOT_WEIGHTED

    @classmethod
    def of(cls, counts: FeedbackCounts) -> ArmCounts:
        """The part of a coordinator's counters that an experiment needs."""
        return cls(
            Outcomes(counts.scored, counts.outcome_sum, counts.outcome_squares),
            counts.interactions,
            counts.failed,
            {int(bucket): count for bucket, count in counts.latencies.items()},
            WeightedOutcomes(
                counts.weighted,
                counts.weight_sum,
                counts.weight_squares,
                counts.weighted_sum,
                counts.weighted_products,
                counts.weighted_squares,
            ),
        )

    def __add__(self, other: ArmCounts) -> ArmCounts:
        latencies = dict(self.latencies)
        for bucket, count in other.latencies.items():
            latencies[bucket] = latencies.get(bucket, 0) + count
        return ArmCounts(
            self.scored + other.scored,
            self.interactions + other.interactions,
            self.failed + other.failed,
            latencies,
            self.weighted + other.weighted,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not self.scored.count and not self.interactions

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "scored": _outcomes_to_json(self.scored),
            "interactions": self.interactions,
            "failed": self.failed,
            "latencies": {str(bucket): count for bucket, count in self.latencies.items()},
            "weighted": list(astuple(self.weighted)),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ArmCounts:
        """What `to_json` gave."""
        return cls(
            Outcomes(*stored["scored"]),
            stored["interactions"],
            stored["failed"],
            {int(bucket): count for bucket, count in stored["latencies"].items()},
            # Absent: counted before propensities of feedback were known.
            WeightedOutcomes(*stored.get("weighted", ())),
        )


NO_ANSWERS: Final = ArmCounts()


def harm_to_json(process: HarmProcess) -> list[Any]:
    """As it is stored."""
    parts = (
        process.control,
        process.treatment,
        process.waiting_control,
        process.waiting_treatment,
    )
    return [process.log_e, *map(_outcomes_to_json, parts)]


def harm_from_json(stored: list[Any]) -> HarmProcess:
    """What `harm_to_json` gave."""
    log_e, *parts = stored
    return HarmProcess(log_e, *(Outcomes(*part) for part in parts))


def _outcomes_to_json(outcomes: Outcomes) -> list[float]:
    return [outcomes.count, outcomes.total, outcomes.squares]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """An experiment of an agent. `share` and `step` are those of the candidate's traffic now.

    Its policy is that of its beginning: what an error rate means must not change on the way.
    `step_scored` are the candidate's scored answers when the step began, `measured` all answers and
    feedback when the experiment's state was last published, `divided_from` the
    interactions of control and candidate after the candidate's first ones.
    """

    experiment_id: UUID
    tenant_id: str
    agent_id: str
    kind: ExperimentKind
    control: ModelRef
    treatment: ModelRef
    policy: RolloutPolicy
    share: float
    started_at: datetime
    deadline_at: datetime
    job_id: UUID | None = None
    step: int = 1
    step_scored: float = 0
    measured: float = 0
    divided_from: tuple[int, int] | None = None
    control_counts: ArmCounts = NO_ANSWERS
    treatment_counts: ArmCounts = NO_ANSWERS
    harm: HarmProcess = NO_EVIDENCE
    state: ExperimentState = ExperimentState.RUNNING
    reason: str = ""
    ended_at: datetime | None = None

    @property
    def divides_traffic(self) -> bool:
        """Whether agents must know of it."""
        return self.kind is not ExperimentKind.WATCH

    def visible(self) -> Experiment | None:
        """What the agent's configuration says of it."""
        if not self.divides_traffic:
            return None
        return Experiment(
            experiment_id=self.experiment_id,
            mode=RolloutMode(self.kind),
            salt=self.experiment_id.hex,
            control=self.control,
            treatment=self.treatment,
            treatment_share=self.share,
        )

    def add(self, control: ArmCounts, treatment: ArmCounts) -> VersionComparison:
        """The experiment with newly counted answers of its versions."""
        controls, treatments = self.control_counts + control, self.treatment_counts + treatment
        divided_from = self.divided_from
        if divided_from is None and treatments.interactions:
            # Agents learn of an experiment a little later than it begins: until then all traffic is
            # the control's, which says nothing of the division.
            divided_from = (controls.interactions, treatments.interactions)
        return replace(
            self,
            control_counts=controls,
            treatment_counts=treatments,
            harm=self.harm.add(control.scored, treatment.scored),
            divided_from=divided_from,
        )

    @property
    def seen(self) -> float:
        """Answers that were logged, and those that were scored, of both versions."""
        arms = (self.control_counts, self.treatment_counts)
        return sum(each.interactions + each.scored.count for each in arms)

    @property
    def is_measure_due(self) -> bool:
        """Whether so much came since the last measure that another one is worth its event.

        By the part, so that an experiment of a million answers has some three hundred.
        """
        return self.divides_traffic and self.seen >= max(
            self.measured * MEASURE_GROWTH, self.measured + 1
        )

    def advance(self) -> VersionComparison:
        """The canary with its next part of the traffic."""
        return replace(
            self,
            step=self.step + 1,
            share=self.policy.canary_shares[self.step],
            step_scored=self.treatment_counts.scored.count,
        )

    def end(self, state: ExperimentState, reason: str, at: datetime) -> VersionComparison:
        """The ended experiment."""
        return replace(self, state=state, reason=reason, ended_at=at)
