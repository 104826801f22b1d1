"""When each agent is to learn: the policies of its profile, in memory per profile revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from archon_contracts.values import AgentProfile, FastPathPolicy, TriggerPolicy
from services.coordinator.domain import AgentKey
from services.coordinator.errors import UnknownAgent
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.retraining.fast_path import backoff_until, has_fast_path
from services.coordinator.retraining.ports import RequestedJobs, StatsStore
from services.coordinator.retraining.triggers import TriggerDecision, decide, may_update
from shared.errors import RetryableError
from shared.logging import get_logger
from shared.postgres.database import Tx

log = get_logger(__name__)


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
