"""Pages of much: 100,000 points, 5,000 labels, 10,000 versions; each is light and soon there."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from archon_contracts.events import (
    AgentConfigured,
    EvaluationCompleted,
    JobState,
    JobStateChanged,
    MetricPoint,
    MetricsRecorded,
    RetrainTriggered,
)
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentProfile, Estimate, TrainingMethod
from services.gateway.read_models.projection_store import ProjectionStore
from tests.support.eventually import eventually
from tests.support.gateway.dashboard import PageReader, browser_of, sign_in
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENT = "large"
LABELS, VERSIONS, POINTS = 5_000, 10_000, 100_000
MAX_SECONDS = 2.0
"""On a machine with nothing else to do each takes a tenth of it."""
MAX_BYTES = 300_000
FILL = """
    INSERT INTO gateway.models (tenant_id, agent_id, version, status, uri, digest, job_id,
                                registered_at)
    SELECT 'default', $1, '1.' || n || '.0', CASE WHEN n = $2 THEN 'deployed' ELSE 'ready' END,
           'file:///m', md5(n::text) || md5(n::text), CASE WHEN n > $2 - 20 THEN $3::uuid END,
           now() - ($2 - n) * interval '1 s'
    FROM generate_series(1, $2) n;
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def job(gateway: ServedGateway) -> UUID:
    """The job of an agent that has much of everything."""
    job_id, now = new_id(), datetime.now(UTC)
    labels = tuple(f"topic {n} مرحبا 🦊" for n in range(LABELS))
    profile = AgentProfile(agent_id=AGENT, kind="classifier", base_model="pypi:m", labels=labels)
    score = Estimate(value=0.8, low=0.7, high=0.9, n=40)
    own = {"agent_id": AGENT, "job_id": job_id}
    await gateway.publish(
        AgentConfigured(agent_id=AGENT, profile=profile),
        RetrainTriggered(
            **own, window_id=new_id(), reason="count", feedback_count=9, feedback_digest="f" * 64
        ),
        JobStateChanged(
            **own,
            method=TrainingMethod.CONTINUAL,
            to_state=JobState.TRAINING,
            attempt=1,
            reason="",
            occurred_at=now,
        ),
        EvaluationCompleted(
            **own,
            evaluation_id=new_id(),
            passed=True,
            reasons=("it gains",),
            accuracy={"candidate": {"all": score, **dict.fromkeys(labels[:2000], score)}},
            duration_seconds=1,
        ),
    )
    await eventually(lambda: gateway.has_agent(AGENT))
    async with gateway.application.service_context.database.across_tenants() as tx:
        await tx.execute(FILL.split(";")[0], AGENT, VERSIONS, job_id)
        for part in range(0, POINTS // 2, 10_000):
            points = [
                MetricPoint(
                    name=name,
                    value=1 / (1 + step),
                    step=step,
                    recorded_at=now + timedelta(milliseconds=step),
                )
                for name in ("train/loss", "validation/loss")
                for step in range(part, part + 10_000)
            ]
            event = MetricsRecorded.model_construct(
                tenant_id="default", **own, attempt=1, points=tuple(points)
            )
            await ProjectionStore().save_metrics(tx, [event])

    async def is_evaluated() -> None:
        assert (await gateway.get(f"/v1/jobs/{job_id}"))["evaluation"] is not None

    await eventually(is_evaluated, timeout=20)
    return job_id


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(gateway: ServedGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in."""
    async with browser_of(gateway) as client:
        await sign_in(client)
        yield client


@pytest.mark.parametrize(
    "place",
    [
        "/",
        "/jobs",
        "/jobs/{job}",
        f"/agents/{AGENT}",
        f"/agents/{AGENT}/policies/trigger",
        f"/compare?agent_id={AGENT}&version=1.9999.0&version=1.10000.0",
    ],
)
async def test_a_page_of_much_is_light_and_soon_there(
    browser: httpx.AsyncClient, job: UUID, place: str
) -> None:
    await browser.get("/")  # which loads the templates
    began = time.monotonic()

    page = await browser.get(place.format(job=job))

    assert page.status_code == 200, page.text
    assert time.monotonic() - began < MAX_SECONDS
    assert len(page.content) < MAX_BYTES


async def test_of_many_points_the_curve_has_those_that_a_screen_can_show(
    browser: httpx.AsyncClient, job: UUID
) -> None:
    page = (await browser.get(f"/jobs/{job}")).text

    lines = [stated["points"] for tag, stated in PageReader(page).elements if tag == "polyline"]
    assert len(lines) == 2
    assert all(400 < len(line.split()) <= 1_100 for line in lines)


async def test_every_version_is_reached_by_its_name_though_few_are_listed(
    browser: httpx.AsyncClient, job: UUID
) -> None:
    listed = (await browser.get(f"/agents/{AGENT}")).text
    oldest = await browser.get(f"/compare?agent_id={AGENT}&version=1.1.0")

    assert "1.10000.0" in listed
    assert "1.1.0<" not in listed
    assert oldest.status_code == 200
    assert "1.1.0" in oldest.text
