"""Who is scored on what, and under which key a score is known: pure rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from archon_contracts.base import ValueObject
from archon_contracts.commands import EvaluateModel
from archon_contracts.events import (
    EvaluationArm,
    PairedComparison,
    RejectionKind,
    SkillResult,
    UnscoredTarget,
)
from archon_contracts.formats import REFERENCE_FILE, SUITE_FILES, TEST_FILE
from archon_contracts.rules.redaction import without_credentials
from archon_contracts.values import AgentKind, ArtifactRef, Estimate, MetricResult
from services.evaluator.errors import EmptySuite, NothingToCompare

SCORING_VERSION = 3
"""Raised when the scoring code changes what it gives; older scores are then not used again."""

RECENT_VERSIONS: Final = 5
"""Versions before the deployed one that a candidate is compared with. More, and an agent whose
answers grow for long would wait for a person: each new answer takes a little from the old ones."""


class EvaluationState(StrEnum):
    """Where the newest evaluation of a job stands."""

    ACCEPTED = "accepted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Role(StrEnum):
    """Whose scores these are."""

    CANDIDATE = "candidate"
    DEPLOYED = "deployed"
    BASELINE = "baseline"
    CLOSED_FORM = "closed_form"
    NEAREST_NEIGHBOURS = "nearest_neighbours"
    """The answers of the most similar training items; nothing was trained for them."""


@dataclass(frozen=True, slots=True)
class ScoreKey:
    """Everything that a model's score depends on, but for the scoring code."""

    model: str
    items: str
    catalogue: str
    kind: str


@dataclass(frozen=True, slots=True)
class CachedScore:
    """Where the predictions of an earlier scoring are."""

    predictions: ArtifactRef
    file: str


@dataclass(frozen=True, slots=True)
class GraderEndpoint:
    """The language model that grades answers of suites."""

    url: str
    model: str = ""
    api_key: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What its replies are kept under."""
        return f"{without_credentials(self.url)} {self.model}".strip()


class EvaluationReport(ValueObject):
    """What an evaluation found; `comparison` is of accuracy, empty when nothing is deployed."""

    passed: bool
    reasons: tuple[str, ...]
    rejection_kinds: tuple[RejectionKind, ...] = ()
    review_reasons: tuple[str, ...] = ()
    """Why the candidate, though it passed, must not be deployed without a person."""
    results: tuple[MetricResult, ...]
    changed_answers: int | None = None
    """Items that the candidate answers otherwise than the control."""
    answered_items: int | None = None
    unscored_items: int = 0
    unscored_targets: tuple[UnscoredTarget, ...] = ()
    comparison: dict[str, PairedComparison]
    arms: tuple[EvaluationArm, ...] = ()
    skills: tuple[SkillResult, ...] = ()

    def estimates_of(self, metric: str) -> dict[str, dict[str, Estimate]]:
        """One metric: model -> group -> estimate."""
        found: dict[str, dict[str, Estimate]] = {}
        for result in self.results:
            if result.name == metric:
                found.setdefault(result.model, {})[result.group] = result.estimate
        return found


def choose_control(command: EvaluateModel) -> Role:
    """Whom the candidate must beat: the deployed version, or else the baseline.

    Raises:
        NothingToCompare: the command names neither.
    """
    if command.deployed is not None:
        return Role.DEPLOYED
    if command.base_model is not None:
        return Role.BASELINE
    raise NothingToCompare(
        "Name the deployed version or base_model: without one of them no gain can be shown."
    )


def find_new_labels(folder: Path) -> list[Path]:
    """The files of a dataset that hold items out, as far as there are items in them."""
    paths = (folder / TEST_FILE, folder / REFERENCE_FILE)
    return [path for path in paths if path.is_file() and path.read_bytes().strip()]


def digest_items(items: ArtifactRef, new_labels: Iterable[Path]) -> str:
    """What a score depends on: the suite alone, unless there are items beside it."""
    beside = [hashlib.sha256(path.read_bytes()).hexdigest() for path in new_labels]
    if not beside:
        return items.digest
    return hashlib.sha256("\n".join([items.digest, *beside]).encode()).hexdigest()


def build_score_keys(
    command: EvaluateModel, candidate_card: bytes, items_digest: str | None = None
) -> dict[Role, ScoreKey]:
    """Under which key each model's score on these items is kept.

    A base model is used as the candidate's card says (labels, lengths), so its score depends on
    the card; a trained model's own card is part of its digest.

    Raises:
        NothingToCompare: see `choose_control`.
    """
    models = {Role.CANDIDATE: command.candidate.digest}
    choose_control(command)  # raises where there is none
    if command.deployed is not None:
        models[Role.DEPLOYED] = command.deployed.artifact.digest
    if command.closed_form is not None:
        models[Role.CLOSED_FORM] = command.closed_form.digest
    if has_neighbours(command) and command.trained_on is not None:
        encoder = (command.closed_form or command.candidate).digest
        models[Role.NEAREST_NEIGHBOURS] = f"neighbours in {command.trained_on.digest} by {encoder}"
    if command.base_model is not None:
        models[Role.BASELINE] = (
            f"{command.base_model} as {hashlib.sha256(candidate_card).hexdigest()}"
        )
    catalogue = command.catalogue.digest if command.catalogue else ""
    return {
        role: ScoreKey(model, items_digest or command.items.digest, catalogue, command.kind.value)
        for role, model in models.items()
    }


def has_neighbours(command: EvaluateModel) -> bool:
    """Whether the most similar training items can answer: an update's are its corrections alone,
    and a generator has no vectors."""
    known = command.trained_on is not None and command.update is None
    return known and command.kind is not AgentKind.GENERATOR


def choose_encoder(command: EvaluateModel) -> Role:
    """Whose encoder compares training items with requests: the one that was not fine-tuned."""
    return Role.CANDIDATE if command.closed_form is None else Role.CLOSED_FORM


def find_items_file(folder: Path) -> Path:
    """The file of items in a suite's or dataset's folder.

    Raises:
        EmptySuite: there is none, or it holds no item.
    """
    for name in SUITE_FILES:
        path = folder / name
        if path.is_file():
            with path.open("rb") as lines:
                # Not parsed here: a large suite is read once, in the child.
                if any(line.strip() for line in lines):
                    return path
            raise EmptySuite(f"The evaluation suite's {name} holds no item; nothing can be scored.")
    raise EmptySuite(f"The evaluation suite has neither {' nor '.join(SUITE_FILES)}.")


def select_roles_to_score(
    wanted: Iterable[Role], known: Iterable[Role], encoder: Role = Role.CANDIDATE
) -> list[Role]:
    """Who must still be scored. The base model is only ever scored beside the candidate, and the
    nearest neighbours beside the model whose `encoder` they are found with."""
    missing = [role for role in wanted if role not in set(known)]
    if Role.NEAREST_NEIGHBOURS in missing and encoder not in missing:
        missing.insert(0, encoder)
    # The baseline is built with the card in the candidate's folder, which is fetched
    # only to score it.
    if Role.BASELINE in missing and Role.CANDIDATE not in missing:
        missing.insert(0, Role.CANDIDATE)
    return missing
