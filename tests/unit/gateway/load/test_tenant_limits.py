"""What one tenant may have under way."""

import pytest

from archon_contracts.events import TrainingRequested
from services.gateway.auth.request_identity import identify_request
from services.gateway.errors import Overloaded
from services.gateway.load.tenant_limits import TenantLimits
from services.gateway.requests import JobRequest, SyntheticDataRequest
from services.gateway.service import GatewayService
from tests.support.clocks import SetClock
from tests.support.gateway.gateway_service import CALLER, NOON, build_store
from tests.support.messaging.outbox import RecordingOutbox


async def test_a_tenant_with_too_many_jobs_is_refused_for_now() -> None:
    outbox, store = RecordingOutbox(), await build_store()
    limits = TenantLimits(store, SetClock(NOON), max_jobs=2)
    gateway = GatewayService(store, outbox, SetClock(NOON), limits)
    job = JobRequest(agent_id="a", method="supervised")
    first = identify_request(CALLER)
    await gateway.request_training(None, first, job)

    with pytest.raises(Overloaded, match="2 jobs of this tenant have not ended") as refusal:
        await gateway.request_training(None, identify_request(CALLER), job)
    await gateway.request_training(None, first, job)  # a repetition adds none

    assert (refusal.value.limit, refusal.value.retry_after_seconds) == ("jobs_per_tenant", 30)
    assert {event.job_id for event in outbox.of(TrainingRequested)} == {first.id}


async def test_requests_for_synthetic_data_are_bounded_until_they_have_a_result_or_are_old() -> (
    None
):
    clock = SetClock(NOON)
    store = await build_store()
    limits = TenantLimits(store, clock, max_jobs=1)
    gateway = GatewayService(store, RecordingOutbox(), clock, limits)
    items = SyntheticDataRequest(
        agent_id="a", scenario_type="customer-support", count=1, difficulty="easy"
    )
    await gateway.generate_synthetic(None, identify_request(CALLER), items)

    with pytest.raises(Overloaded, match="no result yet"):
        await gateway.generate_synthetic(None, identify_request(CALLER), items)
    clock.move(3_601)

    await gateway.generate_synthetic(None, identify_request(CALLER), items)
