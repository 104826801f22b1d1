"""Start suites on versions of an agent, and show how far they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from archon_contracts.commands import (
    CancelBenchmark,
    MetricThreshold,
    RunBenchmark,
    SuiteToBenchmark,
    VersionToBenchmark,
)
from archon_contracts.events import BenchmarkMode
from archon_contracts.values import AgentProfile, ArtifactRef, ModelRef
from services.gateway.auth.agent_binding import hide_other_agents
from services.gateway.auth.credentials import Caller
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import BenchmarkView, ModelView
from services.gateway.errors import Conflict, FieldError, Invalid, NotFound, Overloaded
from services.gateway.functions.benchmark_store import BenchmarkStore
from services.gateway.functions.requests import BenchmarkRequest, RunOptions, ValidateRequest
from services.gateway.load.tenant_limits import JOBS_WAIT_SECONDS
from services.gateway.store import GatewayStore
from shared.artifacts.store import ArtifactStore
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx

RUN_VERSIONS: Final = 5
"""Newest versions that are run where a request names none."""
MAXIMUM_VERSIONS: Final = 20
LIFETIME: Final = timedelta(hours=6)
"""A benchmark without an end after this time does not count: its evaluator gave it up."""
OWN_SUITE: Final = "evaluation-suite"
"""What the agent's configured suite is called in results."""
PAGE_SUFFIX: Final = ".html"


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """What a request asks for, found."""

    mode: BenchmarkMode
    profile: AgentProfile
    models: Sequence[ModelView]
    suites: Sequence[SuiteToBenchmark]
    options: RunOptions


class Benchmarks:
    """Takes `tx` and never commits."""

    def __init__(
        self,
        store: GatewayStore,
        benchmarks: BenchmarkStore,
        outbox: Outbox,
        artifacts: ArtifactStore,
        clock: Clock,
        *,
        max_open: int,
    ) -> None:
        self._store = store
        self._benchmarks = benchmarks
        self._outbox = outbox
        self._artifacts = artifacts
        self._clock = clock
        self._max_open = max_open

    async def benchmark(self, tx: Tx, identity: RequestIdentity, request: BenchmarkRequest) -> UUID:
        """Start suites on the versions named, or on the newest ones; returns the benchmark's id.

        Raises:
            NotFound: no such agent, version or dataset.
            Invalid: there is no suite, or too many versions are named.
            Overloaded: too many benchmarks of the tenant have not ended.
        """
        profile = await self._require_profile(tx, identity, request.agent_id)
        models = await self._find_models(tx, identity, request.agent_id, request.versions)
        suites = await self._find_suites(tx, identity, profile, request.suites)
        if not suites:
            message = f"agent {request.agent_id} has no evaluation suite; name a dataset"
            raise Invalid([FieldError("suites", "missing", message)])
        plan = BenchmarkPlan(BenchmarkMode.BENCHMARK, profile, models, suites, request)
        command = await self._build(tx, identity, plan)
        return await self._start(
            tx, identity, command.model_copy(update={"repeats": request.repeats})
        )

    async def validate(
        self, tx: Tx, identity: RequestIdentity, model: ModelView, request: ValidateRequest
    ) -> UUID:
        """Start the checks of one version; returns the benchmark's id. Raises as `benchmark`."""
        profile = await self._require_profile(tx, identity, model.agent_id)
        suites = await self._find_suites(tx, identity, profile, request.suites)
        golden = None
        if request.golden is not None:
            golden = await self._find_dataset(tx, identity, request.golden, "golden")
        plan = BenchmarkPlan(BenchmarkMode.VALIDATION, profile, [model], suites, request)
        command = await self._build(tx, identity, plan)
        checks = {
            "golden": golden,
            # Without a suite nothing asks for them.
            "golden_ids": profile.gate.never_regress if suites else (),
            "latency_limit_seconds": request.latency_limit_seconds,
        }
        return await self._start(tx, identity, command.model_copy(update=checks))

    async def find(self, tx: Tx, caller: Caller, benchmark_id: UUID) -> BenchmarkView:
        """A benchmark with its progress or outcome.

        Raises:
            NotFound: there is none of the caller's.
        """
        found = await self._benchmarks.find(tx, caller.tenant_id, benchmark_id)
        if found is None:
            raise NotFound("benchmark", benchmark_id)
        hide_other_agents(caller, found.agent_id, "benchmark", benchmark_id)
        return found

    async def cancel(
        self, tx: Tx, caller: Caller, identity: RequestIdentity, benchmark_id: UUID, reason: str
    ) -> None:
        """Ask the evaluator to stop a benchmark; what it has answered so far is dropped.

        Raises:
            NotFound: there is none of the caller's.
            Conflict: it has ended.
        """
        found = await self.find(tx, caller, benchmark_id)
        if found.finished_at is not None:
            raise Conflict(f"benchmark {benchmark_id} is {found.state}; it cannot be cancelled")
        command = CancelBenchmark(
            tenant_id=identity.tenant_id,
            benchmark_id=benchmark_id,
            agent_id=found.agent_id,
            reason=reason,
            requested_by=identity.actor,
        )
        await self._outbox.append(tx, command, cause=identity.cause())

    async def read_report(self, benchmark: BenchmarkView, file: str) -> bytes:
        """A file of a benchmark's reports, as its result names it; `.html` beside `.json`.

        Raises:
            NotFound: it has no such file, or has not ended.
        """
        result = benchmark.result or {}
        named = {each["report_file"] for each in result.get("results", ())}
        pages = {each.removesuffix(".json") + PAGE_SUFFIX for each in named}
        if file not in named | pages or not result.get("reports"):
            raise NotFound(f"report of benchmark {benchmark.benchmark_id}", file)
        return await self._artifacts.read(ArtifactRef.model_validate(result["reports"]), file)

    async def _build(self, tx: Tx, identity: RequestIdentity, plan: BenchmarkPlan) -> RunBenchmark:
        profile, options = plan.profile, plan.options
        feedback = await self._benchmarks.version_feedback(
            tx, identity.tenant_id, profile.agent_id, [each.version for each in plan.models]
        )
        return RunBenchmark(
            tenant_id=identity.tenant_id,
            benchmark_id=identity.id,
            agent_id=profile.agent_id,
            mode=plan.mode,
            kind=profile.kind,
            versions=tuple(
                VersionToBenchmark(model=_refer(each), feedback=feedback.get(each.version))
                for each in plan.models
            ),
            suites=tuple(plan.suites),
            thresholds=tuple(MetricThreshold(**t.model_dump()) for t in options.thresholds),
            requested_by=identity.actor,
        )

    async def _start(self, tx: Tx, identity: RequestIdentity, command: RunBenchmark) -> UUID:
        await self._require_room(tx, identity)
        await self._benchmarks.add_request(tx, command, self._clock.now())
        await self._outbox.append(tx, command, cause=identity.cause())
        return command.benchmark_id

    async def _require_room(self, tx: Tx, identity: RequestIdentity) -> None:
        if not self._max_open:
            return
        since = self._clock.now() - LIFETIME
        count = await self._benchmarks.count_open(tx, identity.tenant_id, identity.id, since)
        if count >= self._max_open:
            reason = f"{count} benchmarks of this tenant have not ended; wait for some"
            raise Overloaded("benchmarks_per_tenant", reason, JOBS_WAIT_SECONDS)

    async def _require_profile(
        self, tx: Tx, identity: RequestIdentity, agent_id: str
    ) -> AgentProfile:
        profile = await self._benchmarks.agent_profile(tx, identity.tenant_id, agent_id)
        if profile is None:
            raise NotFound("agent", agent_id)
        return profile

    async def _find_models(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, versions: Sequence[str]
    ) -> list[ModelView]:
        """The versions named, in that order, or the newest ones."""
        if len(set(versions)) > MAXIMUM_VERSIONS:
            message = f"at most {MAXIMUM_VERSIONS} versions are run at once; name fewer"
            raise Invalid([FieldError("versions", "too_long", message)])
        known = {m.version: m for m in await self._store.models(tx, identity.tenant_id, agent_id)}
        for version in versions:
            if version not in known:
                raise NotFound(f"model version of agent {agent_id}", version)
        if not known:
            raise NotFound("model version of agent", agent_id)
        wanted = dict.fromkeys(versions or list(known)[:RUN_VERSIONS])
        return [known[version] for version in wanted]

    async def _find_suites(
        self, tx: Tx, identity: RequestIdentity, profile: AgentProfile, names: Sequence[str]
    ) -> list[SuiteToBenchmark]:
        if not names:
            suite = profile.evaluation_suite
            return [SuiteToBenchmark(name=OWN_SUITE, items=suite)] if suite else []
        return [
            SuiteToBenchmark(
                name=name, items=await self._find_dataset(tx, identity, name, "suites")
            )
            for name in dict.fromkeys(names)
        ]

    async def _find_dataset(
        self, tx: Tx, identity: RequestIdentity, name: str, field: str
    ) -> ArtifactRef:
        found = await self._store.datasets(tx, identity.tenant_id, name=name)
        if not found:
            raise NotFound("dataset", name)
        if found[0].purpose != "evaluation":
            message = f"dataset {name} is for {found[0].purpose}, not for evaluation"
            raise Invalid([FieldError(field, "purpose", message)])
        return found[0].artifact


def _refer(model: ModelView) -> ModelRef:
    artifact = ArtifactRef(uri=model.uri, digest=model.digest)
    return ModelRef(version=model.version, artifact=artifact)
