"""A consumer whose generation is over joins the next one as the member that it was.

aiokafka forgets its member id as soon as a commit or heartbeat names an old generation, and joins
as somebody new. The group then waits for the one it knew: on Apache Kafka until its session times
out, on brokers that cannot replace a leader for ever. Other clients keep the id until the broker
says that it does not know it, and so do we.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import UnknownMemberIdError
from aiokafka.protocol.group import JoinGroupRequest

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

NO_GENERATION: Final = -1


def keep_member_id(consumer: AIOKafkaConsumer) -> None:
    """Make a started consumer rejoin under its own id.

    aiokafka has no hook for this, so two methods of its coordinator are wrapped; a test guards
    their shape. The id goes when the broker refuses it at a join.
    """
    coordinator = consumer._coordinator
    reset, send = coordinator.reset_generation, coordinator._send_req
    member_id_rejected = False

    async def recording_send(request: Any) -> Any:
        nonlocal member_id_rejected
        response = await send(request)
        if isinstance(request, JoinGroupRequest):
            member_id_rejected = response.error_code == UnknownMemberIdError.errno
        return response

    def reset_generation() -> None:
        if member_id_rejected:
            reset()
            return
        coordinator.generation = NO_GENERATION
        coordinator.request_rejoin()

    coordinator._send_req = recording_send
    coordinator.reset_generation = reset_generation
