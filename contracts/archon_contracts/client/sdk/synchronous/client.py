"""The whole API as one object.

Written by `python -m tests.reference` from the asynchronous client; do not edit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

import httpx

from archon_contracts.client.sdk.answers.functions import (
    AnalyseInfo,
    BenchmarkInfo,
    GenerateInfo,
    LogAnalysisInfo,
    StartedJobInfo,
    StoredBenchmarksInfo,
    SyntheticInfo,
    ValidateInfo,
)
from archon_contracts.client.sdk.calls import (
    api_path,
    function_call,
    read_call,
    to_camel_case,
    write_call,
)
from archon_contracts.client.sdk.recording.decorator import AgentDecorator
from archon_contracts.client.sdk.recording.recorder import InteractionRecorder
from archon_contracts.client.sdk.server_events import ServerEvent
from archon_contracts.client.sdk.synchronous.agents import AgentsApi, DatasetsApi
from archon_contracts.client.sdk.synchronous.experiments import ExperimentsApi
from archon_contracts.client.sdk.synchronous.feedback import FeedbackApi
from archon_contracts.client.sdk.synchronous.jobs import JobHandle, JobsApi
from archon_contracts.client.sdk.synchronous.models import ModelsApi
from archon_contracts.client.sdk.synchronous.operations import (
    AuditApi,
    DeadLettersApi,
    KeysApi,
    WebhooksApi,
)
from archon_contracts.client.sdk.synchronous.reviews import ReviewsApi
from archon_contracts.client.sdk.synchronous.transport import Transport
from archon_contracts.commands import EdgeCaseFamily, SynthesisMethod
from archon_contracts.traffic_classes import TrafficClass
from archon_contracts.values import TrainingConfig, TrainingMethod


class Archon:
    """A system's API: `with Archon(url, key) as archon`.

    Every write carries an `Idempotency-Key` and every feedback event an id of its own, so calls
    are repeated, `attempts` times in all, while the gateway is busy or away.
    Threads may share it.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        attempts: int = 5,
        timeout_seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        traffic_class: TrafficClass | None = None,
    ) -> None:
        """`traffic_class`: an agent under evaluation names it, and nothing that it sends counts.

        Raises:
            ApiKeyError: the key cannot be sent in a header.
            GatewayUrlError: the URL is none that can be asked.
        """
        self._transport = Transport(
            url,
            api_key,
            attempts=attempts,
            timeout_seconds=timeout_seconds,
            transport=transport,
        )
        self._recorder = InteractionRecorder(url, api_key, traffic_class=traffic_class)
        self.agents = AgentsApi(self._transport)
        self.datasets = DatasetsApi(self._transport)
        self.jobs = JobsApi(self._transport)
        self.models = ModelsApi(self._transport)
        self.experiments = ExperimentsApi(self._transport)
        self.reviews = ReviewsApi(self._transport)
        self.feedback = FeedbackApi(self._transport, traffic_class)
        self.keys = KeysApi(self._transport)
        self.audit = AuditApi(self._transport)
        self.dead_letters = DeadLettersApi(self._transport)
        self.webhooks = WebhooksApi(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Send what is still to be logged, and close the connections."""
        self._recorder.close()
        self._transport.close()

    def agent(
        self, agent_id: str, *, version: str | Callable[[], str] | None = None, digest: str = ""
    ) -> AgentDecorator:
        """Log each call of a function as an interaction of this agent: see `AgentDecorator`."""
        return AgentDecorator(self._recorder, agent_id, version=version, digest=digest)

    def train_agent(
        self,
        agent_id: str,
        *,
        method: TrainingMethod | str,
        dataset: str | None = None,
        source_agent: str | None = None,
        source_version: str | None = None,
        validation: Mapping[str, Any] | None = None,
        config: TrainingConfig | Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> JobHandle:
        """Start a training; `settings` are further fields of `TrainingConfig`, such as `epochs`.

        Raises:
            GatewayRefusedError: its `field` is the one that is wrong.
        """
        chosen = TrainingConfig(**settings).model_dump(exclude_unset=True)
        if config is not None:
            provided = (
                config if isinstance(config, Mapping) else config.model_dump(exclude_unset=True)
            )
            chosen = {**provided, **chosen}
        body = to_camel_case(
            {
                **chosen,
                "method": method,
                "dataset": dataset,
                "source_agent": source_agent,
                "source_version": source_version,
                "validation": validation,
            }
        )
        call = function_call("trainAgent", {"agent_id": agent_id, "config": body})
        return self._handle(self._transport.send(call, StartedJobInfo))

    def adapt_agent_behavior(
        self,
        agent_id: str,
        *,
        feedback: Iterable[Mapping[str, Any]],
        method: TrainingMethod | str,
    ) -> JobHandle:
        """Publish feedback, then start a training on all unused feedback."""
        body = {"agent_id": agent_id, "feedback": list(feedback), "method": method}
        call = function_call("adaptAgentBehavior", body)
        return self._handle(self._transport.send(call, StartedJobInfo))

    def generate_synthetic_training_data(
        self,
        scenario_type: str,
        *,
        count: int,
        agent_id: str | None = None,
        difficulty: Literal["easy", "medium", "hard"] = "medium",
        edge_cases: bool = False,
        diversity: float = 0.5,
        examples: str | None = None,
        seed: int = 0,
        methods: Sequence[SynthesisMethod | str] = (),
        edge_case_families: Sequence[EdgeCaseFamily | str] = (),
        privacy_distance: float = 0.0,
    ) -> GenerateInfo:
        """Request synthetic items; `synthetic(request_id)` has the result when it is ready."""
        body = {name: value for name, value in locals().items() if name != "self"}
        call = function_call("generateSyntheticTrainingData", body)
        return self._transport.send(call, GenerateInfo)

    def synthetic(self, request_id: UUID | str) -> SyntheticInfo:
        """A request for synthetic data, with its result when it is ready."""
        return self._transport.send(read_call(api_path("synthetic", request_id)), SyntheticInfo)

    def cancel_synthetic(self, request_id: UUID | str, reason: str = "") -> None:
        """Stop a request for synthetic data that has no result yet."""
        body = {"reason": reason} if reason else None
        call = write_call(api_path("synthetic", request_id, "cancel"), body)
        self._transport.send(call, dict[str, Any])

    def validate_model(
        self,
        agent_id: str,
        *,
        version: str | None = None,
        golden: str | None = None,
        suites: Sequence[str] = (),
        thresholds: Sequence[Mapping[str, Any]] = (),
        latency_limit_seconds: float | None = None,
        run: bool = True,
    ) -> ValidateInfo:
        """Check a version's evaluation and artifact, and with `run` start its checks."""
        body = {name: value for name, value in locals().items() if name != "self"}
        return self._transport.send(function_call("validateModel", body), ValidateInfo)

    def benchmark_agent(
        self,
        agent_id: str,
        *,
        versions: Sequence[str] = (),
        suites: Sequence[str] = (),
        thresholds: Sequence[Mapping[str, Any]] = (),
        repeats: int = 1,
        run: bool = True,
    ) -> StoredBenchmarksInfo:
        """Show evaluated versions side by side, and with `run` run suites on versions."""
        body = {name: value for name, value in locals().items() if name != "self"}
        return self._transport.send(function_call("benchmarkAgent", body), StoredBenchmarksInfo)

    def benchmark(self, benchmark_id: UUID | str) -> BenchmarkInfo:
        """A benchmark or validation, with its progress or outcome."""
        call = read_call(api_path("benchmarks", benchmark_id))
        return self._transport.send(call, BenchmarkInfo)

    def cancel_benchmark(
        self, benchmark_id: UUID | str, *, reason: str = "cancelled by request"
    ) -> None:
        """Cancel a benchmark or validation that has not ended."""
        call = write_call(api_path("benchmarks", benchmark_id, "cancel"), {"reason": reason})
        self._transport.send(call, dict[str, Any])

    def benchmark_report(self, benchmark_id: UUID | str, file: str) -> str:
        """The report of one version on one suite, by its `report_file`; `.html`: as a page."""
        return self._transport.text(api_path("benchmarks", benchmark_id, "reports", file))

    def analyze_agent_logs(
        self,
        agent_id: str,
        *,
        hours: int = 24,
        logs: Sequence[Mapping[str, Any]] | None = None,
        run: bool | None = None,
    ) -> AnalyseInfo:
        """Statistics of what an agent reported in the last hours, or of the lines sent.

        With `run` also what goes wrong in them; `log_analysis(analysis_id)` has what was found.
        """
        body = {"agent_id": agent_id, "hours": hours, "logs": logs, "run": run}
        return self._transport.send(function_call("analyzeAgentLogs", body), AnalyseInfo)

    def log_analysis(self, analysis_id: UUID | str) -> LogAnalysisInfo:
        """An analysis of an agent's logs, with its progress or what it found."""
        call = read_call(api_path("log-analyses", analysis_id))
        return self._transport.send(call, LogAnalysisInfo)

    def costs(self, *, agent_id: str | None = None, days: int = 30) -> dict[str, Any]:
        """What trainings used, by agent and together; cost and energy are estimates."""
        call = read_call(api_path("costs"), {"agent_id": agent_id, "days": days})
        return self._transport.send(call, dict[str, Any])

    def status(self) -> dict[str, Any]:
        """Stored feedback, open jobs and load; with the scope `operate` the whole system's."""
        return self._transport.send(read_call(api_path("status")), dict[str, Any])

    def events(
        self,
        *,
        agent_id: str | None = None,
        types: Iterable[str] | None = None,
        last_event_id: str = "",
    ) -> Generator[ServerEvent]:
        """Events as they come, such as ModelDeployed; lost connections are made again."""
        query = {"agent_id": agent_id, "types": ",".join(types) if types is not None else None}
        kept = {name: value for name, value in query.items() if value is not None}
        return self._transport.events(kept, last_event_id)

    def _handle(self, started: StartedJobInfo) -> JobHandle:
        return JobHandle(
            self.jobs,
            started.job_id,
            started.agent_id,
            started.trace_id,
            started.accepted_feedback or 0,
        )
