"""Use cases behind the specification's functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from pydantic import ValidationError

from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import derived_id
from archon_contracts.values import ArtifactRef
from services.gateway.domain import ModelView
from services.gateway.errors import NotFound
from services.gateway.feedback.body_parser import invalid, refuse_unstorable
from services.gateway.feedback.hourly_stats import HourCounts, analyse, hours_of, start_of_hour
from services.gateway.functions.requests import (
    AdaptWish,
    AnalyseAnswer,
    AnalyseWish,
    BenchmarkAnswer,
    BenchmarkLine,
    BenchmarkWish,
    Check,
    TrainAgentWish,
    ValidateAnswer,
    ValidateWish,
)
from services.gateway.requests import JobWish
from shared.clock import Clock
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe
from shared.postgres.database import Tx


class FunctionStore(Protocol):
    """What is needed of the store."""

    async def has_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> bool: ...

    async def models(
        self, tx: Tx, tenant_id: str, agent_id: str, *, version: str | None = None, most: int = 1000
    ) -> list[ModelView]: ...

    async def live_version(self, tx: Tx, tenant_id: str, agent_id: str) -> str | None: ...

    async def feedback_hours(
        self, tx: Tx, tenant_id: str, agent_id: str, since: datetime
    ) -> list[HourCounts]: ...


class ArtifactReader(Protocol):
    """What is needed of the artifact store."""

    async def fetch(self, ref: ArtifactRef) -> object: ...


class Functions:
    """Reads that answer a function; `tx` is only read from."""

    def __init__(self, store: FunctionStore, artifacts: ArtifactReader, clock: Clock) -> None:
        self._store = store
        self._artifacts = artifacts
        self._clock = clock

    async def model_to_validate(self, tx: Tx, tenant_id: str, wish: ValidateWish) -> ModelView:
        """The version asked for, or the live one.

        Raises:
            NotFound: no such version, or none is live.
        """
        version = wish.version or await self._store.live_version(tx, tenant_id, wish.agent_id)
        if version is None:
            raise NotFound("live version of agent", wish.agent_id)
        found = await self._store.models(tx, tenant_id, wish.agent_id, version=version)
        if not found:
            raise NotFound(f"model version of agent {wish.agent_id}", version)
        return found[0]

    async def validate_model(self, model: ModelView) -> ValidateAnswer:
        """Check the gate's verdict and every byte of the artifact. Long: not in a transaction."""
        checks = [*_evaluation_checks(model), await self._integrity(model)]
        return ValidateAnswer(
            agent_id=model.agent_id,
            version=model.version,
            valid=all(check.passed for check in checks),
            checks=checks,
            metrics=model.metrics,
        )

    async def benchmark(self, tx: Tx, tenant_id: str, wish: BenchmarkWish) -> BenchmarkAnswer:
        """The stored evaluations of an agent's versions, newest first.

        Raises:
            NotFound: no version of the agent was evaluated.
        """
        models = await self._store.models(tx, tenant_id, wish.agent_id)
        lines = [
            _benchmark_line(model, model.evaluation)
            for model in models
            if model.evaluation is not None
            and (not wish.versions or model.version in wish.versions)
        ]
        if not lines:
            raise NotFound("evaluated version of agent", wish.agent_id)
        return BenchmarkAnswer(agent_id=wish.agent_id, versions=lines)

    async def analyse_logs(self, tx: Tx, tenant_id: str, wish: AnalyseWish) -> AnalyseAnswer:
        """Statistics over the lines given, or over what was counted from the feedback topic.

        Raises:
            NotFound: no such agent.
        """
        if not await self._store.has_agent(tx, tenant_id, wish.agent_id):
            raise NotFound("agent", wish.agent_id)
        now = self._clock.now()
        if wish.logs is not None:
            hours, source = hours_of(wish.logs, now=now), "logs"
        else:
            since = start_of_hour(now - timedelta(hours=wish.hours))
            hours = await self._store.feedback_hours(tx, tenant_id, wish.agent_id, since)
            source = "topic"
        return AnalyseAnswer(agent_id=wish.agent_id, source=source, **analyse(hours).model_dump())

    async def _integrity(self, model: ModelView) -> Check:
        ref = ArtifactRef(uri=model.uri, digest=model.digest)
        try:
            await self._artifacts.fetch(ref)
        except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe) as error:
            return Check(name="integrity", passed=False, detail=str(error))
        detail = f"every file hashes to what manifest {model.digest[:12]} says"
        return Check(name="integrity", passed=True, detail=detail)


def job_wish(wish: TrainAgentWish) -> JobWish:
    """trainAgent as a job."""
    return JobWish(
        agent_id=wish.agent_id,
        method=wish.config.method,
        dataset=wish.config.dataset,
        config=wish.config.training_config(),
    )


def feedback_of(wish: AdaptWish) -> list[FeedbackReceived]:
    """adaptAgentBehavior's items as feedback events.

    An item without an interaction is its own: the id comes from its content, so that sending it
    again counts once.

    Raises:
        Invalid: an item breaks a rule; field and index are named.
        MalformedBody: an item holds the NUL character.
    """
    events = []
    for index, item in enumerate(wish.feedback):
        refuse_unstorable(json.dumps(item).encode())
        fields = {_snake(name): value for name, value in item.items()}
        fields.setdefault("interaction_id", _interaction_id(fields))
        try:
            event = FeedbackReceived.model_validate(
                {**fields, "agent_id": wish.agent_id}, extra="forbid"
            )
        except ValidationError as error:
            raise invalid(error, ("feedback", index)) from error
        events.append(event)
    return events


def _interaction_id(fields: dict[str, Any]) -> str:
    content = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    return f"adapt-{derived_id('adapt', content)}"


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _evaluation_checks(model: ModelView) -> Sequence[Check]:
    if model.evaluation is None:
        return [Check(name="evaluated", passed=False, detail="no evaluation is stored for it")]
    reasons = "; ".join(model.evaluation.get("reasons", ())) or "no reason given"
    accuracy = model.evaluation["accuracy"].get("candidate", {}).get("all", {})
    share = f"accuracy {accuracy['value']:.3f} on {accuracy['n']} items" if accuracy else "scored"
    return [
        Check(name="evaluated", passed=True, detail=share),
        Check(name="gate", passed=bool(model.evaluation["passed"]), detail=reasons),
    ]


def _benchmark_line(model: ModelView, evaluation: dict[str, Any]) -> BenchmarkLine:
    accuracy = dict(evaluation["accuracy"])
    return BenchmarkLine(
        version=model.version,
        status=model.status,
        passed=evaluation["passed"],
        reasons=list(evaluation.get("reasons", ())),
        accuracy=accuracy.pop("candidate", {}),
        accuracy_at_5=evaluation.get("accuracy_at_5", {}).get("candidate", {}),
        compared_with=accuracy,
        comparison=evaluation.get("comparison", {}),
        latency_seconds=evaluation.get("latency_seconds", {}).get("candidate"),
    )
