"""What the synthetic generator does with requests."""

from archon_contracts.commands import CancelSyntheticData, GenerateSyntheticData
from archon_contracts.events import (
    SyntheticDataCancelled,
    SyntheticDataGenerated,
    SyntheticDataProgressed,
)
from archon_contracts.identifiers import new_id
from services.synthetic_generator.domain import GenerationSummary
from services.synthetic_generator.service import GeneratorService
from shared.messaging.messages import Cause
from tests.support.data.datasets import REF
from tests.support.data.synthetic_generator import FakeResultStore, generate_synthetic_data, segment
from tests.support.messaging.messages import message_of
from tests.support.messaging.open_work import OpenWork
from tests.support.messaging.outbox import RecordingOutbox

TX = object()
SUMMARY = GenerationSummary(items=3, rejected={"duplicate": 1})


class FakeGeneratorFixture:
    """A service on fakes."""

    def __init__(self) -> None:
        self.outbox = RecordingOutbox()
        self.work = OpenWork()
        self.store = FakeResultStore()
        self.service = GeneratorService(self.store, self.outbox, self.work)


async def test_a_request_becomes_work() -> None:
    generator, command = FakeGeneratorFixture(), generate_synthetic_data()

    await generator.service.accept_request(TX, message_of(command))

    assert generator.work.open == {f"generate {command.request_id}": [command.to_json()]}


async def test_a_request_that_was_carried_out_is_answered_again_without_work() -> None:
    generator, command = FakeGeneratorFixture(), generate_synthetic_data()
    cause = Cause(new_id(), "c")
    await generator.service.record_result(TX, command, REF, SUMMARY, cause)

    await generator.service.accept_request(TX, message_of(command))

    first, second = generator.outbox.of(SyntheticDataGenerated)
    assert (first, generator.work.open) == (second, {})
    assert (first.items, first.rejected) == (3, {"duplicate": 1})
    assert (first.requested, first.shortfall) == (20, "")


async def test_what_was_made_so_far_is_kept_and_its_extent_published() -> None:
    generator, command = FakeGeneratorFixture(), generate_synthetic_data()
    cause = Cause(new_id(), "c")

    for draws in (8, 16):
        made = segment(draws, accepted=draws // 2, replies={"k": "r"})
        await generator.service.record_progress(TX, command, made, cause)

    events = generator.outbox.of(SyntheticDataProgressed)
    assert [(e.accepted, e.candidates, e.total) for e in events] == [(4, 8, 20), (8, 16, 20)]
    kept = generator.store.segments[command.request_id]
    assert [each["state"]["attempt"] for each in kept] == [8, 16]
    assert generator.store.replies == {"k": "r"}


async def test_an_open_request_is_cancelled_with_what_it_had_made() -> None:
    generator, command = FakeGeneratorFixture(), generate_synthetic_data()
    await generator.service.accept_request(TX, message_of(command))
    await generator.service.record_progress(TX, command, segment(8), Cause(new_id(), "c"))

    await generator.service.cancel_request(TX, message_of(cancel(command)))

    (event,) = generator.outbox.of(SyntheticDataCancelled)
    assert (event.request_id, event.reason) == (command.request_id, "not needed")
    assert (generator.work.open, generator.store.segments) == ({}, {})


async def test_a_request_that_has_ended_stays_as_it_is() -> None:
    generator, command = FakeGeneratorFixture(), generate_synthetic_data()
    await generator.service.record_result(TX, command, REF, SUMMARY, Cause(new_id(), "c"))

    await generator.service.cancel_request(TX, message_of(cancel(command)))

    assert generator.outbox.of(SyntheticDataCancelled) == []


def cancel(command: GenerateSyntheticData) -> CancelSyntheticData:
    return CancelSyntheticData(
        agent_id=command.agent_id, request_id=command.request_id, reason="not needed"
    )
