"""What to do about what was found, each as one call of the API: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from archon_contracts.commands import LogAnalysisPlan
from archon_contracts.events import DriftReport, FailureCluster, LogSuggestion, ProposedCase

JOBS: Final = "/v1/jobs"
DATASETS: Final = "/v1/datasets"
VALIDATION: Final = "/v1/functions/validateModel"
ENOUGH_CORRECTIONS: Final = 5
"""In one cluster; the trigger policy waits for many more, of all clusters together."""
ENOUGH_SLOW: Final = 5


def suggest(
    agent_id: str,
    analysis_id: UUID,
    plan: LogAnalysisPlan,
    clusters: Sequence[FailureCluster],
    drift: DriftReport | None,
    slow: int,
    slow_limit: float | None,
) -> list[LogSuggestion]:
    """Suggestions, each with the exact body of its call; the most useful first."""
    found = [
        *_retrain(agent_id, plan, clusters, drift),
        *_add_test_cases(agent_id, analysis_id, clusters),
    ]
    if slow >= ENOUGH_SLOW and slow_limit is not None:
        found.append(
            LogSuggestion(
                kind="validate_latency",
                title="Check the deployed version's latency",
                reason=f"{slow} interactions took more than {slow_limit:.3g} s.",
                path=VALIDATION,
                body={"agentId": agent_id, "latencyLimitSeconds": slow_limit},
            )
        )
    return found


def _retrain(
    agent_id: str,
    plan: LogAnalysisPlan,
    clusters: Sequence[FailureCluster],
    drift: DriftReport | None,
) -> Iterator[LogSuggestion]:
    reasons = [
        f"{each.corrected} of {each.size} failures about {each.name} were corrected."
        for each in clusters
        if each.corrected >= ENOUGH_CORRECTIONS
    ]
    if drift is not None and drift.drifted:
        reasons.append(
            f"Requests differ from the training data of version {drift.trained_version} "
            f"(AUROC {drift.auroc:.2f})."
        )
    if reasons:
        yield LogSuggestion(
            kind="retrain",
            title="Train on all unused feedback",
            reason=" ".join(reasons),
            path=JOBS,
            body={"agent_id": agent_id, "method": plan.method.value},
        )


def _add_test_cases(
    agent_id: str, analysis_id: UUID, clusters: Sequence[FailureCluster]
) -> Iterator[LogSuggestion]:
    cases = [case for each in clusters for case in each.proposed_cases if case.target]
    if not cases:
        return
    yield LogSuggestion(
        kind="add_test_cases",
        title=f"Keep {len(cases)} corrected failures as test cases",
        reason="A suite of them shows whether the next version makes the same mistakes.",
        path=DATASETS,
        body={
            # One name for one analysis: starting it twice adds nothing.
            "name": f"failures-{analysis_id}",
            "purpose": "evaluation",
            "items": [_to_item(case) for case in cases],
        },
    )


def _to_item(case: ProposedCase) -> dict[str, Any]:
    return {"id": case.id, "input": case.request, "target": case.target}
