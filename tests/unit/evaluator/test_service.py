"""Accepting and cancelling evaluations."""

from uuid import UUID

from archon_contracts.commands import EvaluateModel
from archon_contracts.events import JobCancelled
from services.evaluator.service import EvaluatorService
from tests.support.messaging.messages import message_of
from tests.support.messaging.open_work import OpenWork
from tests.support.messaging.outbox import RecordingOutbox
from tests.support.registry import artifact
from tests.support.training.evaluator import evaluate

TX = object()
COMMAND = evaluate(artifact("candidate"), artifact("items"))
CANCELLED = JobCancelled(job_id=COMMAND.job_id, agent_id="picker", reason="asked for")


class EvaluationAttempts:
    """Answers as it is reported."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer

    async def accept_attempt(self, _tx: object, _command: EvaluateModel) -> bool:
        return self.answer

    async def cancel_job(self, _tx: object, _job_id: UUID) -> bool:
        return self.answer


async def test_an_evaluation_is_queued_as_commanded() -> None:
    queue = OpenWork()

    assert await EvaluatorService(
        EvaluationAttempts(True), queue, RecordingOutbox()
    ).accept_evaluation(TX, message_of(COMMAND))

    (payloads,) = queue.open.values()
    assert [EvaluateModel.model_validate(payload) for payload in payloads] == [COMMAND]


async def test_a_newer_attempt_takes_the_place_of_the_older_one() -> None:
    queue = OpenWork()
    service = EvaluatorService(EvaluationAttempts(True), queue, RecordingOutbox())

    for attempt in (1, 2):
        command = COMMAND.model_copy(update={"attempt": attempt})
        await service.accept_evaluation(TX, message_of(command))

    (payloads,) = queue.open.values()
    assert [payload["attempt"] for payload in payloads] == [2]


async def test_an_attempt_that_is_not_newer_starts_nothing() -> None:
    queue = OpenWork()

    await EvaluatorService(EvaluationAttempts(False), queue, RecordingOutbox()).accept_evaluation(
        TX, message_of(COMMAND)
    )

    assert queue.open == {}


async def test_a_cancelled_job_leaves_the_queue() -> None:
    queue = OpenWork()
    service = EvaluatorService(EvaluationAttempts(True), queue, RecordingOutbox())
    await service.accept_evaluation(TX, message_of(COMMAND))

    assert await service.cancel_evaluation(TX, message_of(CANCELLED))
    assert queue.open == {}


async def test_another_jobs_end_is_nothing_to_the_evaluator() -> None:
    assert not await EvaluatorService(
        EvaluationAttempts(False), OpenWork(), RecordingOutbox()
    ).cancel_evaluation(TX, message_of(CANCELLED))
