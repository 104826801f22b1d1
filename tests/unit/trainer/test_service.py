"""Accepting and cancelling trainings."""

from archon_contracts.commands import CancelTraining, TrainModel
from services.trainer.service import TrainerService
from tests.support.messaging.messages import message_of
from tests.support.messaging.open_work import OpenWork
from tests.support.registry import artifact
from tests.support.training.trainer import cancel, train

TX = object()


class NewestAttempt:
    """Answers as it is reported."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer

    async def accept_attempt(self, _tx: object, _command: TrainModel) -> bool:
        return self.answer

    async def cancel_attempt(self, _tx: object, _command: CancelTraining) -> bool:
        return self.answer


COMMAND = train(artifact("dataset"))
NEWER = COMMAND.model_copy(update={"attempt": 2})


async def test_a_newer_attempt_takes_the_place_of_the_older_one() -> None:
    queue = OpenWork()
    service = TrainerService(NewestAttempt(True), queue)

    await service.accept_training(TX, message_of(COMMAND))
    await service.accept_training(TX, message_of(NEWER))

    (payloads,) = queue.open.values()
    assert [TrainModel.model_validate(payload) for payload in payloads] == [NEWER]


async def test_an_attempt_that_is_not_newer_starts_nothing() -> None:
    queue = OpenWork()

    assert not await TrainerService(NewestAttempt(False), queue).accept_training(
        TX, message_of(COMMAND)
    )
    assert queue.open == {}


async def test_a_cancelled_training_is_taken_from_the_queue() -> None:
    queue = OpenWork()
    service = TrainerService(NewestAttempt(True), queue)
    await service.accept_training(TX, message_of(COMMAND))

    assert await service.cancel_training(TX, message_of(cancel(COMMAND)))
    assert queue.open == {}


async def test_what_is_over_cannot_be_cancelled() -> None:
    queue = OpenWork()
    await TrainerService(NewestAttempt(True), queue).accept_training(TX, message_of(COMMAND))

    over = TrainerService(NewestAttempt(False), queue)
    assert not await over.cancel_training(TX, message_of(cancel(COMMAND)))
    assert len(queue.open) == 1
