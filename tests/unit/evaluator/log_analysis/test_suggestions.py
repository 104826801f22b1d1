"""Suggestions are calls that the gateway takes as they are."""

from typing import Any

from archon_contracts.commands import LogAnalysisPlan
from archon_contracts.events import DriftReport, DriftTest, FailureCluster, ProposedCase
from archon_contracts.identifiers import new_id
from services.evaluator.log_analysis.suggestions import suggest
from services.gateway.functions.requests import ValidateRequest
from services.gateway.requests import DatasetRequest, JobRequest

PLAN = LogAnalysisPlan(kind="classifier", encoder="pypi:m", method="continual")
BODIES = {
    "/v1/jobs": JobRequest,
    "/v1/datasets": DatasetRequest,
    "/v1/functions/validateModel": ValidateRequest,
}


def cluster(corrected: int = 6, target: str = "yes") -> FailureCluster:
    case = ProposedCase(id="i", request="may I", target=target)
    trend = {"bins": (1,), "direction": "steady", "p_value": 1}
    return FailureCluster(
        name="may", terms=("may",), size=8, proportion=1, corrected=corrected,
        kinds={"corrected": corrected}, trend=trend, interaction_ids=("i",), evidence=(),
        proposed_cases=(case,),
    )  # fmt: skip


def kinds(*arguments: Any) -> list[str]:
    return [each.kind for each in suggest("a", new_id(), PLAN, *arguments)]


def test_every_suggestion_is_a_body_that_its_route_takes() -> None:
    test = DriftTest(statistic=1, p_value=0.001, detail="")
    drift = DriftReport(
        trained_version="1.0.0", reference_items=60, items=60, drifted=True, mmd=test,
        classifier=test, auroc=0.9,
    )  # fmt: skip

    found = suggest("a", new_id(), PLAN, [cluster()], drift, 9, 0.5)

    assert [each.kind for each in found] == ["retrain", "add_test_cases", "validate_latency"]
    for each in found:
        assert BODIES[each.path].model_validate(each.body)


def test_nothing_is_suggested_where_nothing_is_found() -> None:
    assert kinds([], None, 0, None) == []
    assert kinds([cluster(corrected=4, target="")], None, 4, 0.5) == []
