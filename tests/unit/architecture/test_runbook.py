"""The runbook explains every reason that the code gives, and none that is gone."""

import ast
import re

import pytest

from archon_contracts.events import RejectionKind
from services.coordinator.domain import WindowOutcome
from services.data_prep.domain import QuarantineReason
from services.synthetic_generator.domain import RejectionReason
from tests.support.sources import ROOT

RUNBOOK = (ROOT / "contracts/handbook/training-failures.md").read_text()
NO_REASONS = {"FieldError"}
"""A part of an error."""


def rows() -> set[str]:
    """The reasons that the runbook's tables explain."""
    return set(re.findall(r"^\| `([A-Za-z_]+)` \|", RUNBOOK, re.MULTILINE))


def error_names() -> set[str]:
    """Every error that a service or shared code may raise for a message or a job."""
    files = [*ROOT.glob("services/*/errors.py"), ROOT / "shared/errors.py"]
    trees = [ast.parse(path.read_text()) for path in files]
    found = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    return found - NO_REASONS


def gate_rules() -> set[str]:
    """Every rule of the gate: a class that says what a refusal by it is."""
    found = set()
    for path in (ROOT / "services/evaluator/comparison").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and "rejection: ClassVar" in ast.unparse(node):
                found.add(node.name)
    return found


@pytest.mark.parametrize(
    ("what", "reasons"),
    [
        ("errors", error_names()),
        ("rules of the gate", gate_rules()),
        ("kinds of rejections", {kind.value for kind in RejectionKind}),
        ("outcomes of windows", {outcome.value for outcome in WindowOutcome}),
        ("reasons of quarantine", {reason.value for reason in QuarantineReason}),
        ("rejected synthetic items", {reason.value for reason in RejectionReason}),
    ],
)
def test_the_runbook_explains_every_reason_and_no_other(what: str, reasons: set[str]) -> None:
    assert len(reasons) > 3
    assert reasons - rows() == set(), f"explain these {what} in training-failures.md"


def test_the_runbook_explains_nothing_that_is_gone() -> None:
    known = error_names() | gate_rules() | {"completed", "rejected", "failed", "cancelled"}
    for kinds in (RejectionKind, WindowOutcome, QuarantineReason, RejectionReason):
        known |= {each.value for each in kinds}

    assert rows() - known == set()


def test_deadlines_are_worded_as_the_coordinator_words_them() -> None:
    sources = [*(ROOT / "services/coordinator").rglob("*.py")]
    code = "".join(path.read_text() for path in sources)
    section = RUNBOOK.partition("## Deadlines")[2].partition("## ")[0]
    worded = re.findall(r"^\| ((?:[a-z]+ ){2,}[a-z]+) \|", section, re.MULTILINE)

    assert len(worded) >= 8
    assert [words for words in worded if words not in code] == []
