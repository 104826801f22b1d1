"""What the synthetic generator does with requests."""

from archon_contracts.events import SyntheticDataGenerated
from archon_contracts.identifiers import new_id
from services.synthetic_generator.service import GeneratorService
from shared.messaging.messages import Cause
from tests.support.data.datasets import REF
from tests.support.data.synthetic_generator import FakeResultStore, generate_synthetic_data
from tests.support.messaging.messages import message_of
from tests.support.messaging.open_work import OpenWork
from tests.support.messaging.outbox import RecordingOutbox

TX = object()


class FakeGeneratorFixture:
    """A service on fakes."""

    def __init__(self) -> None:
        self.outbox = RecordingOutbox()
        self.work = OpenWork()
        self.service = GeneratorService(FakeResultStore(), self.outbox, self.work)


async def test_a_request_becomes_work() -> None:
    generator, command = FakeGeneratorFixture(), generate_synthetic_data()

    await generator.service.accept_request(TX, message_of(command))

    assert generator.work.open == {f"generate {command.request_id}": [command.to_json()]}


async def test_a_request_that_was_carried_out_is_answered_again_without_work() -> None:
    generator, command = FakeGeneratorFixture(), generate_synthetic_data()
    cause = Cause(new_id(), "c")
    await generator.service.record_result(TX, command, REF, (3, {"duplicate": 1}), cause)

    await generator.service.accept_request(TX, message_of(command))

    first, second = generator.outbox.of(SyntheticDataGenerated)
    assert (first, generator.work.open) == (second, {})
    assert (first.items, first.rejected) == (3, {"duplicate": 1})
