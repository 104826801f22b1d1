"""Counted answers added to their versions."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.events import FeedbackCounts
from services.registry.rollout.experiments import NO_ANSWERS, ArmCounts
from services.registry.rollout.ports import ExperimentRecords
from shared.logging import get_logger
from shared.postgres.database import Tx

log = get_logger(__name__)


async def add_counts(
    experiments: ExperimentRecords,
    tx: Tx,
    agent: tuple[str, str],
    counts: Sequence[FeedbackCounts],
) -> dict[str, ArmCounts]:
    """What is new of each registered version; answers of other weights are nobody's.

    `agent` is tenant and name; the caller has its lock.
    """
    named = [each for each in counts if each.model_version is not None]
    versions = sorted({str(each.model_version) for each in named})
    if not versions:
        return {}
    known = await experiments.find_counts(tx, *agent, versions)
    added: dict[str, ArmCounts] = {}
    for each in named:
        version, fresh = str(each.model_version), ArmCounts.of(each)
        if version not in known or fresh.is_empty:
            continue
        if each.model_digest not in (None, known[version].digest):
            log.warning(
                "answers_of_other_weights_ignored",
                agent_id=agent[1],
                version=version,
                scored=fresh.scored.count,
            )
            continue
        added[version] = added.get(version, NO_ANSWERS) + fresh
    totals = {version: known[version].counts + fresh for version, fresh in added.items()}
    if totals:
        await experiments.put_counts(tx, *agent, totals)
    return added
