"""When each agent is to learn: its profile's policies, and the rated answers that they look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from opentelemetry import metrics
from pydantic import ValidationError

from archon_contracts import telemetry
from archon_contracts.events import AgentParked
from archon_contracts.triggers import (
    ObservedAnswer,
    RatingSums,
    observe,
    spend,
    start_version,
    start_window,
)
from archon_contracts.values import AgentProfile, FastPathPolicy, TriggerPolicy
from services.coordinator.domain import AgentKey, Job, WindowClaim
from services.coordinator.errors import UnknownAgent
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.retraining.fast_path import backoff_until, has_fast_path
from services.coordinator.retraining.ports import RequestedJobs, StatsStore
from services.coordinator.retraining.triggers import TriggerDecision, decide, may_update
from shared.errors import PermanentError, RetryableError
from shared.logging import get_logger
from shared.ports import Clock
from shared.postgres.database import Tx

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
parked_counter = meter.create_counter(telemetry.METRIC_AGENTS_PARKED, unit="{evaluation}")

MAX_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class RetrainPolicies:
    """What a profile says of when to learn."""

    trigger: TriggerPolicy
    fast_path: FastPathPolicy | None
    """None: the agent has no fast path."""

    @classmethod
    def of(cls, profile: AgentProfile) -> RetrainPolicies:
        """The policies of a profile."""
        return cls(profile.trigger, profile.fast_path if has_fast_path(profile) else None)


class PolicyCache:
    """Policies are read once per profile revision: decisions run for every batch of feedback.

    Not whole profiles: they have up to 400 kB, and all agents stay here.
    """

    def __init__(self, stats_store: StatsStore, agents: RequestedJobs) -> None:
        self._stats_store = stats_store
        self._agents = agents
        self._known: dict[AgentKey, tuple[int, RetrainPolicies]] = {}

    async def read(self, tx: Tx, key: AgentKey, stats: FeedbackStats) -> RetrainPolicies:
        """The policies of one agent.

        Raises:
            UnknownAgent: it is not configured.
            ValidationError: its stored profile is none.
        """
        known = self._known.get(key)
        if known is None or known[0] != stats.profile_revision:
            async with self._stats_store.savepoint(tx):  # for its translation of driver errors
                agent = await self._agents.find_agent(tx, key)
            if agent is None:
                raise UnknownAgent(f"agent {key.agent_id} is not configured; configure it first")
            known = (stats.profile_revision, RetrainPolicies.of(agent.profile))
            self._known[key] = known
        return known[1]

    async def read_ahead(self, tx: Tx, changed: Sequence[FeedbackStats]) -> None:
        """Read what is not known of many agents at once.

        The first batch after a start may concern thousands, and a query for each of them would
        take longer than the batch itself. An agent that cannot be read is left to `read`.

        Raises:
            RetryableError: the database is away.
        """
        revisions = {
            key: stats.profile_revision
            for stats in changed
            if (key := AgentKey(stats.tenant_id, stats.agent_id)) not in self._known
            or self._known[key][0] != stats.profile_revision
        }
        if len(revisions) < 2:
            return
        try:
            async with self._stats_store.savepoint(tx):
                async for agent in self._agents.find_agents(tx, revisions):
                    policies = RetrainPolicies.of(agent.profile)
                    self._known[agent.key] = (revisions[agent.key], policies)
        except RetryableError:
            raise
        except Exception as error:  # noqa: BLE001  `read` finds whose it is
            log.warning("policies_are_read_one_by_one", reason=str(error))


def decide_what_to_learn(
    stats: FeedbackStats, policies: RetrainPolicies, now: datetime
) -> TriggerDecision:
    """What the agent may learn now: a window that is due, else an update of the fast path."""
    decision = decide(stats, policies.trigger, now)
    if decision.reason is not None or policies.fast_path is None or not may_update(stats):
        return decision
    # A window that is due comes first: it has the corrections too.
    until = backoff_until(stats, policies.fast_path, now)
    return decision.with_update() if until <= now else decision.check_by(until)


def report_parked(key: AgentKey, error: Exception, until: datetime) -> AgentParked:
    """Log and count that an agent could not be evaluated; returns what is to be published."""
    reason = str(error)[:MAX_REASON]
    log.error(
        "agent_parked",
        tenant_id=key.tenant_id,
        agent_id=key.agent_id,
        error_type=type(error).__name__,
        reason=reason,
        until=until.isoformat(),
        exc_info=not isinstance(error, PermanentError),
    )
    parked_counter.add(1, {telemetry.ERROR_TYPE: type(error).__name__})
    return AgentParked(
        tenant_id=key.tenant_id,
        agent_id=key.agent_id,
        reason=f"{type(error).__name__}: {error}"[:MAX_REASON],
        until=until,
    )


def looks_at_answers(policy: TriggerPolicy) -> bool:
    """Whether the policy needs more than counters: what it costs is then paid for each batch."""
    return any(
        each is not None
        for each in (
            policy.rating_drop,
            policy.error_rise,
            policy.wrong_answer_seconds,
            policy.maximum_per_day,
        )
    )


class AnswerStreams:
    """Keeps the streams. The caller holds the lock of the agent's statistics."""

    def __init__(self, stats_store: StatsStore, policies: PolicyCache, clock: Clock) -> None:
        self._stats_store = stats_store
        self._policies = policies
        self._clock = clock

    async def observe(
        self, tx: Tx, stats: FeedbackStats, answers: Sequence[ObservedAnswer]
    ) -> FeedbackStats:
        """Count new rated answers where the agent's policy looks at them.

        Raises:
            RetryableError: the database is away.
        """
        if not answers:
            return stats
        key = AgentKey(stats.tenant_id, stats.agent_id)
        try:
            policy = (await self._policies.read(tx, key, stats)).trigger
        except RetryableError:
            raise
        except (PermanentError, ValidationError):
            return stats  # the evaluation that follows meets it too, and parks the agent
        if not looks_at_answers(policy):
            return stats
        stream = observe(stats.stream, answers, policy.error_rise)
        await self._stats_store.set_stream(tx, key, stream)
        return replace(stats, stream=stream)

    async def begin_window(
        self,
        tx: Tx,
        stats: FeedbackStats,
        policy: TriggerPolicy,
        claim: WindowClaim,
        *,
        by_trigger: bool,
    ) -> None:
        """A window claimed unused feedback; one of a trigger counts for the daily limit."""
        if not looks_at_answers(policy):
            return
        stream = start_window(stats.stream, RatingSums(claim.rated, claim.rating_sum))
        if by_trigger:
            stream = spend(stream, policy, self._clock.now())
        await self._stats_store.set_stream(tx, AgentKey(stats.tenant_id, stats.agent_id), stream)

    async def begin_version(self, tx: Tx, key: AgentKey, version: str) -> None:
        """From now on only feedback on this version says how often the agent is wrong."""
        stats = await self._stats_store.lock_stats(tx, key)
        if stats is not None and stats.stream.version != version:
            rated = RatingSums(stats.rated, stats.rating_sum)
            stream = start_version(stats.stream, version, rated)
            await self._stats_store.set_stream(tx, key, stream)

    async def record_training(self, tx: Tx, job: Job) -> None:
        """What a training took predicts what the next one takes; updates take no training."""
        candidate = job.facts.candidate
        if candidate is not None and candidate.seconds and not job.is_update:
            await self._stats_store.record_training_seconds(tx, job.key, candidate.seconds)
