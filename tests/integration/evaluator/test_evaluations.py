"""Evaluations on a real database, with real child processes and made-up models."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from archon_contracts.commands import EvaluateModel
from archon_contracts.events import EvaluationCompleted, EvaluationFailed, JobCancelled
from archon_contracts.values import AgentKind, ArtifactRef
from services.evaluator.domain import RECENT_VERSIONS, CachedScore, EvaluationState, ScoreKey
from shared.errors import LeaseLost
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of, states_of, until_over
from tests.support.messaging.working import working
from tests.support.training.evaluator import ITEMS, EvaluatorHarness, evaluate
from tests.support.training.tampering import flip_a_bit


@pytest.fixture
async def evaluator(database_url: str, tmp_path: Path) -> AsyncIterator[EvaluatorHarness]:
    settings = probe_settings(
        database_url,
        service="evaluator",
        artifacts_url=f"file://{tmp_path}/artifacts",
        lease_seconds=1.5,
    )
    async with open_service_context(settings) as shared:
        yield EvaluatorHarness(shared)


async def take(evaluator: EvaluatorHarness, command: EvaluateModel) -> None:
    """Handle a command as the router would."""
    await evaluator.shared.inbox.run_once(message_of(command), evaluator.service.accept_evaluation)


async def completed(
    evaluator: EvaluatorHarness, *commands: EvaluateModel
) -> list[EvaluationCompleted]:
    """Take the commands one after the other; what is reported at the end."""
    async with working(evaluator.worker):
        for number, command in enumerate(commands, start=1):
            await take(evaluator, command)
            await until_over(evaluator.shared.database, number)
    events = await events_of(evaluator.shared.database)
    return [event for event in events if isinstance(event, EvaluationCompleted)]


async def failed(evaluator: EvaluatorHarness, command: EvaluateModel) -> EvaluationFailed:
    assert await completed(evaluator, command) == []
    (event,) = await events_of(evaluator.shared.database)
    assert isinstance(event, EvaluationFailed)
    return event


async def predictions(evaluator: EvaluatorHarness, event: EvaluationCompleted, role: str) -> bytes:
    assert event.predictions is not None
    return await evaluator.shared.artifacts.read(event.predictions, f"{role}.jsonl")


async def test_a_better_candidate_passes_and_every_group_is_reported(
    evaluator: EvaluatorHarness,
) -> None:
    suite = await evaluator.suite()
    deployed, candidate = await evaluator.model(range(20)), await evaluator.model(range(38))

    (event,) = await completed(evaluator, evaluate(candidate, suite, deployed=deployed))

    assert event.passed
    assert [arm.model for arm in event.arms] == ["candidate", "deployed", "baseline"]
    assert set(event.accuracy["candidate"]) == {"all", "old", "new"}
    assert event.accuracy["candidate"]["all"].value == pytest.approx(38 / ITEMS)
    assert event.accuracy["deployed"]["old"].value == pytest.approx(10 / 20)
    assert event.comparison["all"].candidate_only == 18
    assert event.latency_seconds == {"candidate": 0.01, "deployed": 0.01, "baseline": 0.01}


async def test_a_candidate_that_is_no_better_is_rejected_with_a_reason(
    evaluator: EvaluatorHarness,
) -> None:
    suite = await evaluator.suite()
    deployed, candidate = await evaluator.model(range(20)), await evaluator.model(range(19))

    (event,) = await completed(evaluator, evaluate(candidate, suite, deployed=deployed))

    assert not event.passed
    assert any("accuracy" in reason for reason in event.reasons)


async def test_without_a_deployed_version_the_base_model_is_the_baseline(
    evaluator: EvaluatorHarness,
) -> None:
    suite = await evaluator.suite()

    (event,) = await completed(evaluator, evaluate(await evaluator.model(range(30)), suite))

    assert event.passed
    assert set(event.accuracy) == {"candidate", "baseline"}
    assert event.comparison == {}
    assert "base model" in event.reasons[-1]


async def test_a_deployed_versions_scores_are_cached_from_its_candidacy(
    evaluator: EvaluatorHarness,
) -> None:
    suite = await evaluator.suite()
    first, second = await evaluator.model(range(20)), await evaluator.model(range(38))

    before, after = await completed(
        evaluator, evaluate(first, suite), evaluate(second, suite, deployed=first)
    )

    # The made-up predictions name the process that made them.
    assert await predictions(evaluator, after, "deployed") == await predictions(
        evaluator, before, "candidate"
    )
    assert await predictions(evaluator, after, "candidate") != await predictions(
        evaluator, before, "candidate"
    )


async def test_a_closed_form_that_takes_a_candidates_place_is_not_scored_again(
    evaluator: EvaluatorHarness,
) -> None:
    suite = await evaluator.suite()
    deployed, tuned = await evaluator.model(range(20)), await evaluator.model(range(38))
    free = await evaluator.model(range(37))
    dataset = await evaluator.shared.artifacts.publish_files({"train.jsonl": b""})

    refused, taken = await completed(
        evaluator,
        evaluate(tuned, suite, deployed=deployed, closed_form=free, trained_on=dataset),
        evaluate(free, suite, deployed=deployed, trained_on=dataset),
    )

    assert (refused.passed, refused.rejection_kinds) == (False, ("not_above_closed_form",))
    assert taken.passed
    assert [arm.model for arm in taken.arms][-1] == "nearest_neighbours"
    for role, before in (("candidate", "closed_form"), ("nearest_neighbours",) * 2):
        assert await predictions(evaluator, taken, role) == await predictions(
            evaluator, refused, before
        )


async def test_other_items_are_scored_anew(evaluator: EvaluatorHarness) -> None:
    model = await evaluator.model(range(20))
    short, long = await evaluator.suite(ITEMS), await evaluator.suite(ITEMS + 2)

    before, after = await completed(evaluator, evaluate(model, short), evaluate(model, long))

    assert before.accuracy["candidate"]["all"].n == ITEMS
    assert after.accuracy["candidate"]["all"].n == ITEMS + 2


async def test_a_base_model_is_scored_once_for_candidates_with_one_card(
    evaluator: EvaluatorHarness,
) -> None:
    suite = await evaluator.suite()
    one, same = await evaluator.model(range(5)), await evaluator.model(range(6))
    other = await evaluator.model(range(7), card='{"max_length": 64}')

    events = await completed(evaluator, *(evaluate(m, suite) for m in (one, same, other)))

    bases = [await predictions(evaluator, event, "baseline") for event in events]
    assert bases[0] == bases[1] != bases[2]


async def test_lost_predictions_are_made_again(evaluator: EvaluatorHarness, tmp_path: Path) -> None:
    suite, model = await evaluator.suite(), await evaluator.model(range(20))
    (before,) = await completed(evaluator, evaluate(model, suite))
    assert before.predictions is not None
    lost = before.predictions.digest
    (tmp_path / "artifacts" / lost[:2] / lost / "candidate.jsonl").write_text("changed")

    command = evaluate(await evaluator.model(range(38)), suite, deployed=model)
    restarted = EvaluatorHarness(evaluator.shared)
    async with working(restarted.worker):
        await take(restarted, command)
        await until_over(evaluator.shared.database, 2)

    event = (await events_of(evaluator.shared.database))[-1]
    assert isinstance(event, EvaluationCompleted)
    assert event.accuracy["deployed"]["all"].value == pytest.approx(20 / ITEMS)


async def test_an_empty_suite_is_a_clear_failure(evaluator: EvaluatorHarness) -> None:
    event = await failed(
        evaluator, evaluate(await evaluator.model(()), await evaluator.suite(count=0))
    )

    assert (event.error_type, event.retryable) == ("EmptySuite", False)
    assert event.reason == (
        "The evaluation suite's items.jsonl holds no item; nothing can be scored."
    )


async def test_items_without_targets_cannot_be_scored(evaluator: EvaluatorHarness) -> None:
    suite = await evaluator.suite(with_targets=False)

    event = await failed(evaluator, evaluate(await evaluator.model(()), suite))

    assert (event.error_type, event.retryable) == ("Unscorable", False)


async def test_a_candidate_that_is_not_there_is_a_clear_failure(
    evaluator: EvaluatorHarness,
) -> None:
    missing = ArtifactRef(uri="file:///nowhere", digest="0" * 64)

    event = await failed(evaluator, evaluate(missing, await evaluator.suite()))

    assert (event.error_type, event.retryable) == ("ArtifactMissing", False)


@pytest.mark.parametrize("tampered", ["candidate", "deployed", "items"])
async def test_what_was_tampered_with_is_not_evaluated(
    evaluator: EvaluatorHarness, tampered: str
) -> None:
    parts = {
        "candidate": await evaluator.model(range(38)),
        "deployed": await evaluator.model(range(20)),
        "items": await evaluator.suite(),
    }
    flip_a_bit(parts[tampered])

    command = evaluate(parts["candidate"], parts["items"], deployed=parts["deployed"])
    event = await failed(evaluator, command)

    assert event.error_type == "ArtifactCorrupt"
    assert "was changed" in event.reason


async def test_there_must_be_something_to_compare_with(evaluator: EvaluatorHarness) -> None:
    candidate, suite = await evaluator.model(()), await evaluator.suite()

    event = await failed(evaluator, evaluate(candidate, suite, base_model=None))

    assert (event.error_type, event.retryable) == ("NothingToCompare", False)


async def test_a_child_that_always_dies_fails_in_a_way_that_may_pass(
    evaluator: EvaluatorHarness,
) -> None:
    dying = EvaluatorHarness(evaluator.shared, "die")

    event = await failed(dying, evaluate(await dying.model(()), await dying.suite()))

    assert (event.error_type, event.retryable) == ("ChildCrashed", True)


async def test_a_cancelled_job_is_not_evaluated(evaluator: EvaluatorHarness) -> None:
    command = evaluate(await evaluator.model(()), await evaluator.suite())
    await take(evaluator, command)
    cancelled = JobCancelled(job_id=command.job_id, agent_id="picker", reason="asked for")

    await evaluator.shared.inbox.run_once(
        message_of(cancelled), evaluator.service.cancel_evaluation
    )
    await take(evaluator, command.model_copy(update={"attempt": 2}))

    assert await states_of(evaluator.shared.database) == ["cancelled"]


async def test_a_worker_that_lost_its_lease_can_write_nothing(evaluator: EvaluatorHarness) -> None:
    command = evaluate(await evaluator.model(range(3)), await evaluator.suite())
    await take(evaluator, command)
    stale = await evaluator.shared.work.lease(["evaluate"], "stopped for too long")
    assert stale is not None
    result = await evaluator.handler.run(stale)
    async with evaluator.shared.database.transaction() as tx:
        await tx.execute("UPDATE work SET lease_until = now() - interval '1 second'")
    assert await evaluator.shared.work.lease(["evaluate"], "somebody else") is not None

    with pytest.raises(LeaseLost):
        async with evaluator.shared.work.guarded(stale) as tx:
            await evaluator.handler.complete(tx, stale, result)
    assert await events_of(evaluator.shared.database) == []


async def test_an_attempt_is_accepted_once_and_never_after_a_newer_one(
    evaluator: EvaluatorHarness,
) -> None:
    suite = await evaluator.suite()
    second = evaluate(await evaluator.model(()), suite, attempt=2)
    first = second.model_copy(update={"attempt": 1})

    async with evaluator.shared.database.transaction("default") as tx:
        accepted = [await evaluator.store.accept_attempt(tx, o) for o in (second, second, first)]
        await evaluator.store.end_attempt(tx, second.job_id, 2, EvaluationState.COMPLETED)
        cancelled = await evaluator.store.cancel_job(tx, second.job_id)

    assert accepted == [True, False, False]
    assert not cancelled


@pytest.mark.parametrize("is_update", [False, True])
async def test_losses_that_add_up_over_versions_wait_for_a_person(
    evaluator: EvaluatorHarness, is_update: bool
) -> None:
    """Of 200 items each version loses 4 of the 100 old ones and learns 30 new ones."""
    suite = await evaluator.suite(200)
    steps = [
        await evaluator.model([*range(0, 200 - 8 * n, 2), *range(1, 60 * n, 2)]) for n in range(4)
    ]

    commands = [evaluate(after, suite, deployed=before) for before, after in pairwise(steps)]
    if is_update:
        commands[-1] = commands[-1].model_copy(update={"update": suite})

    reports = await completed(evaluator, *commands)

    assert [report.passed for report in reports] == [True, True, True]
    assert [bool(report.review_reasons) for report in reports] == [False, False, True]


async def test_updates_of_the_fast_path_do_not_shorten_the_look_at_recent_versions(
    evaluator: EvaluatorHarness,
) -> None:
    """Two versions that windows were compared with, and six that updates were."""
    suite, database = await evaluator.suite(), evaluator.shared.database
    versions = [await evaluator.model(range(number)) for number in range(8)]
    key = ScoreKey("the present one", suite.digest, "", AgentKind.SELECTOR)

    for number, version in enumerate(versions):
        command = evaluate(suite, suite, deployed=version)
        if number > 1:
            command = command.model_copy(update={"update": suite})
        async with database.transaction("default") as tx:
            await evaluator.store.accept_attempt(tx, command)
            score = CachedScore(suite, f"{number}.jsonl")
            await evaluator.store.insert_score(tx, replace(key, model=version.digest), score)

    async with database.transaction("default") as tx:
        found = await evaluator.store.find_recent_scores(tx, command, key, RECENT_VERSIONS)
    assert [score.file for score in found] == ["1.jsonl", "0.jsonl"]
