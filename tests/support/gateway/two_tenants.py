"""Two tenants at one gateway: what beta has, and alpha's ways of asking for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from archon_contracts.base import Contract
from archon_contracts.events import (
    AgentConfiguration,
    AgentConfigured,
    DatasetPrepared,
    EvaluationCompleted,
    JobState,
    JobStateChanged,
    MetricPoint,
    MetricsRecorded,
    ModelDeployed,
    ModelRegistered,
    QualityReport,
    RetrainTriggered,
    TrainingStarted,
)
from archon_contracts.formats import (
    QUALITY_FILE,
    DatasetQuality,
    Freshness,
    LeakageCheck,
    PersonalDataFound,
    Split,
    SuiteItem,
    split_file,
    to_jsonl,
)
from archon_contracts.identifiers import new_id
from archon_contracts.metric_names import TRAIN_LOSS
from archon_contracts.values import (
    AgentKind,
    AgentProfile,
    ArtifactRef,
    Estimate,
    ModelRef,
    TrainingMethod,
)
from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.store import GatewayStore
from tests.support.eventually import eventually
from tests.support.gateway.experiments import events_of_experiment
from tests.support.gateway.gateway import ServedGateway

ALPHA, BETA = "alpha", "beta"
SCOPES = frozenset(Scope) - {Scope.OPERATE}  # operators look across tenants, and may
MARK = "secret"
"""In the name of everything that beta has, and of nothing that alpha has."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEIGHTS = ArtifactRef(uri=f"file:///{MARK}-weights", digest="b" * 64)
TRACE = "b5" * 16


@dataclass(frozen=True, slots=True)
class Names:
    """What a request can name; beta's, or ones that nobody has."""

    agent: str = f"{MARK}-agent"
    dataset: str = f"{MARK}-set"
    held_out: str = f"{MARK}-held-out"
    version: str = "7.7.7"
    dataset_version: int = 717171
    job: UUID = field(default_factory=new_id)
    experiment: UUID = field(default_factory=new_id)
    request: UUID = field(default_factory=new_id)
    benchmark: UUID = field(default_factory=new_id)
    analysis: UUID = field(default_factory=new_id)
    review: UUID = field(default_factory=new_id)

    def fill(self, template: Any) -> Any:
        """A path or body with `{agent}` and its like replaced."""
        if isinstance(template, str):
            return template.format_map({n: str(getattr(self, n)) for n in self.__slots__})
        if isinstance(template, Mapping):
            return {key: self.fill(value) for key, value in template.items()}
        if isinstance(template, list):
            return [self.fill(value) for value in template]
        return template

    def blank(self, text: str) -> str:
        """A text without the names: what remains must not depend on whose they are."""
        for name in sorted((str(getattr(self, n)) for n in self.__slots__), key=len, reverse=True):
            text = text.replace(name, "NAME")
        return text


async def client_of(gateway: ServedGateway, tenant_id: str) -> httpx.AsyncClient:
    """A client with a key of the tenant that may do all but operate."""
    key = f"{tenant_id}-{new_id().hex}"
    caller = Caller(tenant_id, f"{tenant_id}'s key", SCOPES)
    async with gateway.application.service_context.database.transaction(tenant_id) as tx:
        await GatewayStore().add_key(tx, key_id=new_id(), key_hash=hash_key(key), caller=caller)
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=gateway.http.base_url, headers=headers, timeout=20)


def state_of(job: UUID, agent: str, *, tenant_id: str, reason: str = "") -> JobStateChanged:
    """The job waits for a slot, in a trace that anybody may know."""
    return JobStateChanged(
        tenant_id=tenant_id,
        job_id=job,
        agent_id=agent,
        method=TrainingMethod.CONTINUAL,
        to_state=JobState.QUEUED,
        attempt=1,
        reason=reason,
        occurred_at=NOON,
        trace_id=TRACE,
    )


def loss_at(job: UUID, agent: str, step: int, value: float, *, tenant_id: str) -> MetricsRecorded:
    """One point of a job's loss."""
    # Now: metrics are read from the day before their job was created.
    point = MetricPoint(name=TRAIN_LOSS, value=value, step=step, recorded_at=datetime.now(UTC))
    return MetricsRecorded(
        tenant_id=tenant_id, job_id=job, agent_id=agent, attempt=1, points=(point,)
    )


def belongings(names: Names, dataset: ArtifactRef) -> list[Contract]:
    """Events of everything that beta has."""
    who: dict[str, Any] = {"tenant_id": BETA, "agent_id": names.agent}
    job = {**who, "job_id": names.job}
    model = ModelRef(version=names.version, artifact=WEIGHTS)
    share = Estimate(value=0.75, low=0.7, high=0.8, n=200)
    profile = AgentProfile(agent_id=names.agent, kind="selector", base_model=f"pypi:{MARK}")
    return [
        AgentConfigured(**who, profile=profile),
        RetrainTriggered(
            **job,
            window_id=new_id(),
            reason="count",
            feedback_count=3,
            feedback_digest=f"{MARK}-digest",
        ),
        state_of(names.job, names.agent, tenant_id=BETA, reason=f"{MARK} reason"),
        TrainingStarted(**job, attempt=1, worker_id="w", total_steps=30, first_step_at=NOON),
        loss_at(names.job, names.agent, 1, 0.9, tenant_id=BETA),
        DatasetPrepared(
            **job,
            dataset_id=new_id(),
            dataset_version=names.dataset_version,
            artifact=dataset,
            items={"train": 1, "validation": 1, "test": 1},
            quality=QualityReport(received=3, kept=3),
        ),
        EvaluationCompleted(
            **job,
            evaluation_id=new_id(),
            passed=True,
            reasons=(f"{MARK} gain",),
            accuracy={"candidate": {"all": share}},
            duration_seconds=1,
        ),
        ModelRegistered(
            **job, model_id=new_id(), model=model, dataset_id=new_id(), metrics={"accuracy": share}
        ),
        ModelDeployed(
            revision=1,
            actor="somebody",
            **who,
            model=model,
            reason=f"{MARK} reason",
            deployed_at=NOON,
        ),
        AgentConfiguration(
            **who,
            kind=AgentKind.CLASSIFIER,
            model=model,
            revision=1,
            reason=f"{MARK} reason",
            effective_at=NOON,
        ),
        *events_of_experiment(names.agent, names.experiment, MARK, tenant_id=BETA),
    ]


def dataset_files(names: Names) -> dict[str, bytes]:
    """The files of beta's dataset that the gateway reads."""
    quality = DatasetQuality(
        agent_id=names.agent,
        kind=AgentKind.SELECTOR,
        items={"train": 1},
        counts=QualityReport(received=3, kept=3),
        personal_data=PersonalDataFound(items=0, by_kind={}, redacted=False),
        leakage=LeakageCheck(threshold=0.8, compared=2, pairs=0),
        freshness=Freshness(dated=0, undated=3),
    )
    line = to_jsonl([SuiteItem(id="1", input=f"{MARK} question", target="t")])
    return {QUALITY_FILE: quality.model_dump_json().encode()} | {
        split_file(part): line for part in Split
    }


def spans(trace_id: str, name: str) -> dict[str, Any]:
    """A request that brings one span."""
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=bytes.fromhex(trace_id), span_id=b"the same", name=name)
    )
    span.start_time_unix_nano = int(NOON.timestamp() * 1e9)
    span.end_time_unix_nano = span.start_time_unix_nano + 1000
    headers = {"Content-Type": "application/x-protobuf"}
    return {"content": request.SerializeToString(), "headers": headers}


async def move_in(gateway: ServedGateway, beta: httpx.AsyncClient) -> Names:
    """Give beta everything that the gateway can keep; returns what it is called."""
    items = [{"input": f"{MARK} question", "target": f"{MARK} answer"}]
    names = Names()
    for name, purpose in ((names.dataset, "training"), (names.held_out, "evaluation")):
        upload = {"name": name, "purpose": purpose, "items": items}
        assert (await beta.post("/v1/datasets", json=upload)).status_code == 201
    request_body = {"agentId": names.agent, "scenarioType": f"{MARK} request_body", "count": 1}
    asked = await beta.post("/v1/functions/generateSyntheticTrainingData", json=request_body)
    names = Names(job=names.job, request=UUID(asked.json()["requestId"]))
    assert (await beta.post("/v1/traces", **spans(TRACE, f"{MARK} span"))).status_code == 200
    artifacts = gateway.application.service_context.artifacts
    dataset = await artifacts.publish_files(dataset_files(names))
    await gateway.publish(*belongings(names, dataset))

    async def there() -> None:
        job = (await beta.get(f"/v1/jobs/{names.job}")).json()
        assert job.get("version") == names.version
        assert job.get("progress") is not None
        assert job.get("evaluation") is not None
        agent = (await beta.get(f"/v1/agents/{names.agent}")).json()
        assert agent.get("deployed_version") == names.version
        assigned = await beta.get(f"/v1/agents/{names.agent}/assignment")
        assert assigned.status_code == 200
        experiment = (await beta.get(f"/v1/experiments/{names.experiment}")).json()
        assert experiment.get("state") == "promoted"
        quality = f"/v1/agents/{names.agent}/datasets/{names.dataset_version}/quality"
        assert (await beta.get(quality)).status_code == 200

    await eventually(there, timeout=20)
    asking = {"agentId": names.agent, "suites": [names.held_out]}
    started = await beta.post("/v1/functions/benchmarkAgent", json=asking)
    analysed = await beta.post("/v1/functions/analyzeAgentLogs", json={"agentId": names.agent})
    reviewed = {"kind": "rubric", "items": [{"request": "q", "answers": ["a"]}]}
    await beta.post(f"/v1/agents/{names.agent}/reviews", json=reviewed)
    review = await beta.get(f"/v1/agents/{names.agent}/reviews/next")
    return replace(
        names,
        review=UUID(review.json()["task_id"]),
        benchmark=UUID(started.json()["benchmarkId"]),
        analysis=UUID(analysed.json()["analysisId"]),
    )
