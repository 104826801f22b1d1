"""Reports of runs over HTTP: JSON and a page, by version and by job."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from archon_contracts.events import EvaluationCompleted
from archon_contracts.formats import CHANGES_FILE, RunReport
from archon_contracts.identifiers import new_id
from services.gateway.reports.page import HEADER_POLICY
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway
from tests.support.gateway.reported_runs import changes_of, estimate
from tests.support.gateway.two_tenants import BETA, Names, client_of, move_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def beta(gateway: ServedGateway) -> AsyncIterator[tuple[httpx.AsyncClient, Names]]:
    """A tenant with a version whose evaluation published its changes."""
    async with await client_of(gateway, BETA) as client:
        names = await move_in(gateway, client)
        content = changes_of().model_dump_json().encode()
        artifacts = gateway.application.service_context.artifacts
        evaluation = EvaluationCompleted(
            tenant_id=BETA,
            agent_id=names.agent,
            job_id=names.job,
            evaluation_id=new_id(),
            passed=True,
            reasons=("no group loses",),
            accuracy={"candidate": {"all": estimate(0.8)}},
            compared_with="1.0.0",
            predictions=await artifacts.publish_files({CHANGES_FILE: content}),
            duration_seconds=1,
        )
        await gateway.publish(evaluation)

        async def evaluated() -> None:
            found = (await client.get(f"/v1/jobs/{names.job}/report")).json()
            assert found.get("changes") is not None
            assert found["curves"]  # which come on another topic

        await eventually(evaluated, timeout=20)
        yield client, names


def paths(names: Names, ending: str) -> list[str]:
    """Where the report is."""
    return [
        f"/v1/agents/{names.agent}/models/{names.version}/{ending}",
        f"/v1/jobs/{names.job}/{ending}",
    ]


async def test_the_report_of_a_version_and_of_its_job_are_one(
    beta: tuple[httpx.AsyncClient, Names],
) -> None:
    client, names = beta

    bodies: list[Any] = [(await client.get(path)).json() for path in paths(names, "report")]

    # The job is still under way: the seconds of its present state grow.
    first, second = (RunReport.model_validate(body | {"stage_seconds": {}}) for body in bodies)
    assert first == second
    report = first
    assert report.changes == changes_of()
    assert (report.version, report.compared_with) == (names.version, "1.0.0")
    assert [curve.metric for curve in report.curves] == ["train/loss"]


async def test_the_page_is_html_with_a_policy_that_allows_its_style_alone(
    beta: tuple[httpx.AsyncClient, Names],
) -> None:
    client, names = beta

    for path in paths(names, "report.html"):
        answer = await client.get(path)

        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policies = answer.headers.get_list("content-security-policy")
        assert policies == [HEADER_POLICY]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert names.agent in answer.text


async def test_a_report_needs_a_key_and_a_version_that_is_there(
    gateway: ServedGateway, beta: tuple[httpx.AsyncClient, Names]
) -> None:
    client, names = beta
    async with httpx.AsyncClient(base_url=gateway.http.base_url) as nobody:
        for ending in ("report", "report.html"):
            for path in paths(names, ending):
                assert (await nobody.get(path)).status_code == 401
            missing = await client.get(f"/v1/agents/{names.agent}/models/9.9.9/{ending}")

            assert missing.status_code == 404
            assert missing.headers["content-type"] == "application/problem+json"
