"""What a stage's command says of the stages before it."""

from dataclasses import replace
from typing import Any

import pytest

from archon_contracts.commands import EvaluateModel, RegisterModel
from archon_contracts.events import CurriculumPlan, CurriculumStage, JobState
from archon_contracts.identifiers import derived_id
from archon_contracts.values import (
    AgentKind,
    AgentProfile,
    ArtifactRef,
    ModelRef,
    RetentionStrategy,
    TrainingConfig,
    TrainingMethod,
)
from services.coordinator.domain import (
    AgentKey,
    CandidateFacts,
    ConfiguredAgent,
    DatasetFacts,
    EscalationStep,
    EvaluationFacts,
    Job,
    JobFacts,
    JobTrace,
)
from services.coordinator.errors import FactMissing
from services.coordinator.jobs.commands import build_command
from tests.support.coordinator.coordinator import DATASET_ID, EVALUATION_ID, artifact
from tests.support.messaging.messages import NOON

AGENT = ConfiguredAgent(
    AgentKey("default", "a"),
    AgentProfile(agent_id="a", kind=AgentKind.CLASSIFIER, base_model="pypi:m"),
    ModelRef(version="1.0.0", artifact=artifact("deployed")),
)
REFUSED = EscalationStep(
    strategy=RetentionStrategy.STANDARD,
    evaluation_id=EVALUATION_ID,
    replay_ratio=0.5,
    attempt=1,
    reason="group 'old' loses 9.0%",
)


def job_in(state: JobState, **facts: Any) -> Job:
    """A job on its second strategy, with what the stages before found."""
    values: dict[str, Any] = {
        "new_items": 30,
        "warm_start": AGENT.deployed,
        "plan": CurriculumPlan(
            level=1,
            stages=(CurriculumStage(name="all", maximum_difficulty=1, step_proportion=1),),
            replay_ratio=1.0,
        ),
        "dataset": DatasetFacts(
            dataset_id=DATASET_ID,
            version=1,
            artifact=artifact("dataset"),
            training_items=50,
            left_out=2,
        ),
        "candidate": CandidateFacts(
            artifact=artifact("candidate"), steps=25, metrics={"train/loss": 0.2}
        ),
        "retention": RetentionStrategy.MORE_REPLAY,
        "escalations": (REFUSED,),
        "evaluation_attempts": 1,
    }
    return Job(
        job_id=derived_id("job"),
        key=AGENT.key,
        state=state,
        method=TrainingMethod.CONTINUAL,
        config=TrainingConfig(),
        trace=JobTrace("a" * 32, None, "b" * 16, "c" * 16),
        created_at=NOON,
        state_since=NOON,
        attempt=2,
        facts=JobFacts(**(values | facts)),
    )


def test_the_evaluation_hears_how_the_candidate_was_made() -> None:
    command = build_command(job_in(JobState.EVALUATING), AGENT, revision="r")

    assert isinstance(command, EvaluateModel)
    run = command.run
    assert run is not None
    assert (run.strategy, run.parent_version, run.steps) == ("more_replay", "1.0.0", 25)
    assert (run.new_items, run.training_items, run.left_out, run.replay_ratio) == (30, 50, 2, 1.0)
    assert run.metrics == {"train/loss": 0.2}
    assert [(each.strategy, each.reason) for each in run.refused] == [
        ("standard", "group 'old' loses 9.0%")
    ]


@pytest.mark.parametrize("published", [True, False])
def test_the_lineage_names_the_artifact_of_the_evaluation(published: bool) -> None:
    found = artifact("evaluation") if published else None
    evaluation = EvaluationFacts(evaluation_id=EVALUATION_ID, artifact=found)
    job = job_in(JobState.REGISTERING, evaluation=evaluation)

    command = build_command(job, AGENT, revision="r")

    assert isinstance(command, RegisterModel)
    assert command.lineage.get("evaluation") == (found.model_dump() if found else None)


def test_a_job_without_a_candidate_cannot_be_evaluated() -> None:
    job = job_in(JobState.EVALUATING)

    with pytest.raises(FactMissing, match="candidate"):
        build_command(
            replace(job, facts=job.facts.model_copy(update={"candidate": None})),
            AGENT,
            revision="r",
        )


@pytest.mark.parametrize(
    ("kind", "suite", "asked"),
    [
        (AgentKind.CLASSIFIER, artifact("suite"), True),
        (AgentKind.CLASSIFIER, None, False),
        (AgentKind.SELECTOR, artifact("suite"), False),
    ],
)
def test_beside_a_classifiers_suite_the_dataset_asks_for_new_labels(
    kind: AgentKind, suite: ArtifactRef | None, asked: bool
) -> None:
    profile = AGENT.profile.model_copy(update={"kind": kind, "evaluation_suite": suite})
    job = job_in(JobState.EVALUATING)

    command = build_command(job, replace(AGENT, profile=profile), revision="r")

    assert isinstance(command, EvaluateModel)
    assert job.facts.dataset is not None
    assert command.new_labels == (job.facts.dataset.artifact if asked else None)
