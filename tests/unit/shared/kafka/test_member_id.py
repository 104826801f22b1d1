"""A consumer keeps its member id until the broker refuses it."""

from dataclasses import dataclass

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.group import JoinGroupRequest

from shared.kafka.patches import keep_member_id

UNKNOWN_MEMBER = 25


@dataclass
class JoinResponse:
    error_code: int


class FakeGroupCoordinator:
    """Behaves as aiokafka's where it counts."""

    def __init__(self, *join_errors: int) -> None:
        self.generation, self.member_id, self.rejoins = 3, "me", 0
        self.join_errors = list(join_errors)

    def reset_generation(self) -> None:
        self.generation, self.member_id = -1, ""
        self.request_rejoin()

    def request_rejoin(self) -> None:
        self.rejoins += 1

    async def _send_req(self, _request: object) -> JoinResponse:
        return JoinResponse(self.join_errors.pop(0))


@dataclass
class CoordinatedConsumer:
    _coordinator: FakeGroupCoordinator


def wrapped_coordinator(*join_errors: int) -> FakeGroupCoordinator:
    consumer = CoordinatedConsumer(FakeGroupCoordinator(*join_errors))
    keep_member_id(consumer)
    return consumer._coordinator


def test_aiokafka_has_what_is_wrapped() -> None:
    assert {"reset_generation", "request_rejoin", "_send_req"} <= set(dir(GroupCoordinator))


def test_an_old_generation_costs_the_generation_only() -> None:
    coordinator = wrapped_coordinator()
    coordinator.reset_generation()
    coordinator.reset_generation()
    assert (coordinator.generation, coordinator.member_id) == (-1, "me")
    assert coordinator.rejoins == 2


async def test_an_id_that_a_join_refuses_is_dropped() -> None:
    coordinator = wrapped_coordinator(UNKNOWN_MEMBER)
    await coordinator._send_req(JoinGroupRequest("g", 1, 1, "me", "consumer", [], None))
    coordinator.reset_generation()
    assert coordinator.member_id == ""


async def test_after_a_join_that_went_well_the_id_is_kept_again() -> None:
    coordinator = wrapped_coordinator(UNKNOWN_MEMBER, 0)
    request = JoinGroupRequest("g", 1, 1, "me", "consumer", [], None)
    await coordinator._send_req(request)
    await coordinator._send_req(request)
    coordinator.reset_generation()
    assert coordinator.member_id == "me"
