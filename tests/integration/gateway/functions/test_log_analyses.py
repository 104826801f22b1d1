"""analyzeAgentLogs starts an analysis; what it found is shown."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from archon_contracts.commands import AnalyzeInteractions, AnalyzeLogs
from archon_contracts.events import (
    FeedbackErased,
    LogAnalysisFailed,
    LogAnalysisProgressed,
    LogEvidence,
    LogFigures,
    LogsAnalyzed,
)
from archon_contracts.formats import LOG_FILE, LogRecord, parse_jsonl
from archon_contracts.topics import COORDINATOR_COMMANDS, EVALUATOR_COMMANDS, Topic
from tests.support.eventually import eventually
from tests.support.gateway.events import NOON, deployed, is_answered
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
FUNCTION = "/v1/functions/analyzeAgentLogs"


async def start(gateway: ServedGateway, agent: str, **body: Any) -> dict[str, Any]:
    answer = await gateway.http.post(FUNCTION, json={"agentId": agent, **body})
    assert answer.status_code == 202, answer.text
    started: dict[str, Any] = answer.json()
    return started


async def sent(gateway: ServedGateway, topic: Topic, key: str, contract: Any) -> Any:
    """The newest command that was sent with this key."""
    found: list[Any] = []

    async def there() -> None:
        records = await gateway.records(topic, key.encode())
        named = contract.message_type().encode()
        found.extend(
            contract.model_validate_json(each.value)
            for each in records
            if dict(each.headers)["ce_type"] == named
        )
        assert found

    await eventually(there)
    return found[-1]


async def test_an_analysis_is_sent_shown_and_read(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    await gateway.publish(deployed(name, "1.0.0"))
    await eventually(lambda: is_answered(gateway, f"/v1/agents/{name}/models/1.0.0"))
    prices = {"inputTokensPerMillion": 2}

    started = await start(gateway, name, hours=2, most=10, slowSeconds=1.5, prices=prices)

    command = await sent(gateway, COORDINATOR_COMMANDS, name, AnalyzeLogs)
    assert (command.until - command.since, command.most) == (timedelta(hours=2), 10)
    plan = command.plan
    assert (plan.trained_version, plan.method, plan.slow_seconds) == ("1.0.0", "continual", 1.5)
    assert plan.prices.input_tokens_per_million == 2
    assert started["interactions"] == 0
    assert (await gateway.get(started["result"]))["state"] == "requested"
    ids = {"agent_id": name, "analysis_id": UUID(started["analysisId"])}
    await gateway.publish(
        LogAnalysisProgressed(**ids, stage="drift", done=2, total=3),
        LogAnalysisProgressed(**ids, stage="gathered", done=1, total=3),
    )
    await eventually(lambda: in_state(gateway, started, "running"))
    assert (await gateway.get(started["result"]))["progress"]["done"] == 2
    figures = LogFigures(interactions=4, with_feedback=1, failures=0, kinds={}, unclustered=0)
    await gateway.publish(LogsAnalyzed(**ids, figures=figures, duration_seconds=1))
    await eventually(lambda: in_state(gateway, started, "completed"))
    assert (await gateway.get(started["result"]))["result"]["figures"]["interactions"] == 4


async def test_quotations_go_with_the_retraction_of_what_they_quote(
    gateway: ServedGateway, name: str
) -> None:
    """Of an analysis that has ended, and of one whose records were read before."""
    await gateway.configure_agent(name)
    figures = LogFigures(interactions=4, with_feedback=1, failures=0, kinds={}, unclustered=0)
    slow = [LogEvidence(interaction_id=each, at=NOON, text=f"text of {each}") for each in "ab"]
    started = [await start(gateway, name) for _ in range(2)]
    ended, running = (
        LogsAnalyzed(
            agent_id=name, analysis_id=UUID(each["analysisId"]), figures=figures,
            slow=tuple(slow), duration_seconds=1,
        )
        for each in started
    )  # fmt: skip
    await gateway.publish(ended)
    await eventually(lambda: in_state(gateway, started[0], "completed"))

    await gateway.publish(FeedbackErased(agent_id=name, interaction_ids=("a", "c")), running)

    await eventually(lambda: in_state(gateway, started[1], "completed"))
    for each in started:
        found = (await gateway.get(each["result"]))["result"]
        assert [quoted["text"] for quoted in found["slow"]] == ["text of b"]


async def in_state(gateway: ServedGateway, started: dict[str, Any], state: str) -> None:
    assert (await gateway.get(started["result"]))["state"] == state


async def test_lines_of_the_request_go_to_the_evaluator_at_once(
    gateway: ServedGateway, name: str
) -> None:
    await gateway.configure_agent(name)
    logs = [
        {"input": "a", "actual": "x", "expected": "y", "interactionId": "mine", "unitId": "u"},
        {"input": {"q": 1}, "error": "no", "latencySeconds": 0.2, "inputTokens": 3},
        {"actual": "without a request"},
    ]

    started = await start(gateway, name, logs=logs, run=True)

    command = await sent(gateway, EVALUATOR_COMMANDS, started["analysisId"], AnalyzeInteractions)
    artifacts = gateway.application.service_context.artifacts
    content = await artifacts.read(command.records, LOG_FILE)
    first, second = parse_jsonl(content.splitlines(), LogRecord, name=LOG_FILE)
    assert (first.kind, first.interaction_id, first.unit_id) == ("feedback", "mine", "u")
    assert (second.interaction_id, second.request, second.error) == ("line-2", '{"q":1}', "no")
    assert (second.latency_seconds, second.input_tokens) == (0.2, 3)


async def test_a_failed_analysis_says_why(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    started = await start(gateway, name)
    failed = LogAnalysisFailed(
        agent_id=name, analysis_id=UUID(started["analysisId"]), error_type="NothingLogged",
        reason="nothing was reported", retryable=False,
    )  # fmt: skip

    await gateway.publish(failed)

    await eventually(lambda: in_state(gateway, started, "failed"))
    found = await gateway.get(started["result"])
    assert found["failure"]["reason"] == "nothing was reported"


@pytest.mark.parametrize(
    ("body", "status", "names"),
    [
        ({"logs": [{"actual": "x"}], "run": True}, 422, "input"),
        ({"most": 0}, 422, "most"),
        ({"slowSeconds": 0}, 422, "slowSeconds"),
        ({"prices": {"perCall": -1}}, 422, "perCall"),
        ({"run": "yes"}, 422, "run"),
    ],
)
async def test_what_cannot_be_analysed_is_refused_with_its_field(
    gateway: ServedGateway, name: str, body: dict[str, Any], status: int, names: str
) -> None:
    await gateway.configure_agent(name)

    answer = await gateway.http.post(FUNCTION, json={"agentId": name, **body})

    assert answer.status_code == status, answer.text
    assert names in answer.text


async def test_statistics_alone_start_nothing(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)

    for body in ({"run": False}, {"logs": [{"input": "a"}]}):
        answer = await gateway.http.post(FUNCTION, json={"agentId": name, **body})

        assert answer.status_code == 200, answer.text
        assert answer.json()["analysisId"] is None
