"""The report of a run, from its records."""

from typing import Any

import pytest

from archon_contracts.commands import RunSummary
from archon_contracts.events import JobState
from archon_contracts.formats import CandidateFigures, RunReport
from archon_contracts.values import AgentKind, TrainingMethod
from services.gateway.reports.builder import build_curves, build_run_report
from tests.support.gateway.reported_runs import changes_of, estimate, job_of, points_of


def candidates(report: RunReport) -> dict[str, CandidateFigures]:
    """The candidates by name."""
    return {each.name: each for each in report.candidates}


def run_of(**fields: Any) -> RunSummary:
    """A run with these figures."""
    return RunSummary.model_validate({"method": TrainingMethod.CONTINUAL, "steps": 1} | fields)


def test_everything_known_of_the_run_is_in_the_report() -> None:
    report = build_run_report(job_of(), points_of("train/loss", {1: 2.0, 2: 1.0}), changes_of())

    assert (report.version, report.compared_with, report.parent_version) == (
        "1.1.0",
        "1.0.0",
        "1.0.0",
    )
    assert report.passed
    assert report.changes == changes_of()
    assert report.quality is not None
    assert report.quality.by_source == {"feedback": 40, "replay": 40}
    assert report.quality.quarantined_by_reason == {"contradicted": 3}
    assert report.learning is not None
    assert report.learning.learnt
    assert (report.trigger, report.feedback_count) == ("count", 40)
    assert (report.evaluation_digest, report.dataset_digest) == ("e" * 64, "d" * 64)
    assert report.stage_seconds == {"preparing": 2.0, "training": 12.5}


def test_the_candidate_that_was_taken_and_those_that_lost_stand_side_by_side() -> None:
    found = candidates(build_run_report(job_of(), [], changes_of()))

    assert (found["fine tuned"].chosen, found["fine tuned"].score) == (True, 0.9)
    assert (found["closed form"].chosen, found["closed form"].seconds) == (False, 0.5)
    assert found["strategy standard"].reason == "group 'old' loses"
    assert found["candidate (strategy rehearsal)"].chosen
    assert not found["deployed version 1.0.0"].chosen


def test_a_new_kind_of_candidate_needs_no_change_here() -> None:
    metrics = {"validation/calibrated_accuracy": 0.7, "validation/closed_form_accuracy": 0.8}

    found = candidates(build_run_report(job_of(), [], changes_of(run=run_of(metrics=metrics))))

    assert (found["calibrated"].chosen, found["closed form"].chosen) == (False, True)


def test_an_update_says_what_became_of_its_corrections() -> None:
    metrics = {"update/learnt_items": 2.0, "update/right_before": 0.0, "update/right_after": 2.0}
    run = run_of(fast_path=True, metrics=metrics)

    found = candidates(build_run_report(job_of(), [], changes_of(run=run)))

    assert found["closed form, updated"].score == 1
    assert "of 2 corrections 0 were answered right before and 2 after" in (
        found["closed form, updated"].reason
    )


def test_an_interpolated_candidate_says_how_far_its_weights_went() -> None:
    metrics = {"continual/interpolation_factor": 0.6, "validation/accuracy": 0.8}

    found = candidates(
        build_run_report(job_of(), [], changes_of(run=run_of(steps=25, metrics=metrics)))
    )

    assert "60% of the way" in found["fine-tuned"].reason


def test_of_a_refused_run_the_deployed_version_is_the_one_that_was_kept() -> None:
    scores = {"all": estimate(0.5).model_dump()}
    evaluation = {
        "passed": False,
        "reasons": ["group 'old' loses 9.0%"],
        "accuracy": {"candidate": scores, "deployed": scores},
        "compared_with": "1.0.0",
    }
    job = job_of(state=JobState.REJECTED, version=None, evaluation=evaluation)

    report = build_run_report(job, [], changes_of())

    assert report.version is None
    assert candidates(report)["deployed version 1.0.0"].chosen
    assert candidates(report)["candidate (strategy rehearsal)"].reason == "refused by the gate"


@pytest.mark.parametrize("passed", [True, False])
def test_the_floor_of_the_most_frequent_answer_is_never_what_was_taken(passed: bool) -> None:
    scores = {"all": estimate(0.5).model_dump()}
    models = dict.fromkeys(("candidate", "deployed", "majority"), scores)
    evaluation = {"passed": passed, "accuracy": models, "compared_with": "1.0.0"}

    report = build_run_report(job_of(evaluation=evaluation), [], changes_of())

    found = candidates(report)
    assert not found["always the most frequent answer"].chosen
    assert found["deployed version 1.0.0"].chosen is not passed


@pytest.mark.parametrize("missing", ["dataset", "evaluation", "trigger", "learning"])
def test_what_is_not_known_is_left_out(missing: str) -> None:
    report = build_run_report(job_of(**{missing: None}), [], None)

    assert report.changes is None
    assert report.job_id == job_of().job_id


def test_curves_keep_the_later_figure_of_a_step_that_was_reported_twice() -> None:
    points = [*points_of("train/loss", {2: 1.0, 1: 2.0}), *points_of("train/loss", {2: 0.5})]

    curves = build_curves(points)

    assert [(point.step, point.value) for point in curves[0].points] == [(1, 2.0), (2, 0.5)]


def test_curves_are_of_losses_and_validation_figures_by_attempt() -> None:
    points = [
        *points_of("train/loss", {1: 1.0}, attempt=1),
        *points_of("train/loss", {1: 1.0}, attempt=2),
        *points_of("validation/accuracy", {1: 0.5}),
        *points_of("train/learning_rate", {1: 0.1}),
        *points_of("validation/closed_form_accuracy", {1: 0.1}),
    ]

    curves = build_curves(points)

    assert [(curve.metric, curve.attempt) for curve in curves] == [
        ("train/loss", 1),
        ("train/loss", 2),
        ("validation/accuracy", 2),
    ]


def test_a_generator_s_report_is_built_like_any_other() -> None:
    changes = changes_of(kind=AgentKind.GENERATOR, run=run_of(steps=9))

    found = candidates(build_run_report(job_of(), [], changes))

    assert found["fine-tuned"].reason == "the only candidate of this training"


def test_every_arm_of_the_gate_has_its_figure_and_its_costs() -> None:
    models = ("candidate", "deployed", "closed_form", "baseline")
    accuracy = {model: {"all": estimate(0.5).model_dump()} for model in models}
    arms = [
        {"model": model, "training_seconds": 1.0 + place, "answer_seconds": 0.01}
        for place, model in enumerate(models)
    ]
    evaluation = {"passed": True, "accuracy": accuracy, "arms": arms, "compared_with": "1.0.0"}

    found = candidates(build_run_report(job_of(evaluation=evaluation), [], changes_of()))

    names = ("closed form of the same training", "base model", "deployed version 1.0.0")
    assert [found[name].chosen for name in names] == [False] * 3
    assert found["closed form of the same training"].seconds == 3.0
    assert found["base model"].answer_seconds == 0.01


def test_a_closed_form_that_took_the_place_of_a_fine_tuned_one_says_why() -> None:
    metrics = {
        "validation/closed_form_accuracy": 0.7,
        "validation/fine_tuned_accuracy": 0.9,
        "train/fine_tuned_chosen": 0.0,
    }
    run = run_of(metrics=metrics, replaced="fine-tuned 80.0%, closed form 81.0%")

    found = candidates(build_run_report(job_of(), [], changes_of(run=run)))

    assert found["closed form"].chosen
    assert "took the place" in found["closed form"].reason
    assert "fine-tuned 80.0%, closed form 81.0%" in found["fine tuned"].reason
