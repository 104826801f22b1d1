"""Results of cases for tests of metrics."""

from typing import Any

from archon_contracts.formats import CaseResult


def case(number: int = 0, **fields: Any) -> CaseResult:
    """A result; where it has a target, its answer is scored."""
    target, output = fields.get("target", ""), fields.get("output", "")
    correct = output == target if target and not fields.get("error") else None
    return CaseResult(**{"id": f"case-{number}", "correct": correct, **fields})
