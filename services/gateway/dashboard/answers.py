"""The predictions of an evaluation as confusion matrices, and the errors a model was surest of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from archon_contracts.formats import predictions_file
from archon_contracts.values import ArtifactRef
from services.gateway.dashboard.figures.matrices import ConfusionDrawing, draw_confusion
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe

ROLES: Final = ("candidate", "deployed", "baseline")
MAX_ITEMS: Final = 100_000
WRONG_SHOWN: Final = 25
MAX_ANSWER: Final = 120
MAX_ANSWERS: Final = 2_000
"""Different right answers from which they are texts, which no matrix can hold."""


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """An item that was answered wrong, and how sure the model was."""

    id: str
    target: str
    answer: str
    score: float | None


@dataclass(frozen=True, slots=True)
class RoleAnswers:
    """What one model of an evaluation answered."""

    role: str
    matrix: ConfusionDrawing | None
    wrong: tuple[WrongAnswer, ...]


async def read_answers(
    artifacts: ArtifactStore, evaluation: Mapping[str, Any] | None
) -> tuple[list[RoleAnswers], str]:
    """The answers of each model of an evaluation; or none, and why."""
    if not evaluation or not evaluation.get("predictions"):
        return [], "This job has no evaluation whose answers are kept."
    if (evaluation.get("answered_items") or 0) > MAX_ITEMS:
        return [], f"More than {MAX_ITEMS:,} items: too many for a page."
    ref, found = ArtifactRef.model_validate(evaluation["predictions"]), []
    for role in ROLES:
        try:
            content = await artifacts.read(ref, predictions_file(role))
        except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe):
            # An evaluation has the deployed version or the base model, and its files may be lost.
            continue
        found.append(await asyncio.to_thread(summarize, role, content))
    return found, "" if found else "The files of this evaluation are lost."


def summarize(role: str, content: bytes) -> RoleAnswers:
    """The matrix of a model's answers, and its errors, those it was surest of first."""
    rows = [orjson.loads(line) for line in content.splitlines() if line.strip()]
    scored = [row for row in rows if row.get("target")]
    pairs = [(_cut(row["target"]), _cut(row.get("output", ""))) for row in scored]
    wrong = [row for row in scored if row.get("correct") is False]
    wrong.sort(key=lambda row: row.get("score") or 0.0, reverse=True)
    is_matrix = len({target for target, _ in pairs}) <= MAX_ANSWERS
    return RoleAnswers(
        role=role,
        matrix=draw_confusion(pairs) if is_matrix else None,
        wrong=tuple(
            WrongAnswer(
                str(row.get("id", "")),
                _cut(row["target"]),
                _cut(row.get("output", "")),
                row.get("score"),
            )
            for row in wrong[:WRONG_SHOWN]
        ),
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_ANSWER else f"{text[:MAX_ANSWER]}\N{HORIZONTAL ELLIPSIS}"
