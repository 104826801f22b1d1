"""The quality report of a dataset version: measured from what will be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from archon_contracts.commands import PrepareDataset, SourceKind
from archon_contracts.formats import (
    REPLAY,
    DatasetQuality,
    LabelErrors,
    PersonalDataFound,
    Split,
    SuspectItem,
)
from archon_contracts.values import AgentKind
from services.data_prep.cleaning.personal_data import count_personal_data
from services.data_prep.domain import GradedItem, Item, PreparedDataset
from services.data_prep.quality.drift import MINIMUM_ITEMS as MINIMUM_DRIFT_ITEMS
from services.data_prep.quality.drift import measure_drift
from services.data_prep.quality.label_errors import MINIMUM_ITEMS, LabelRank, rank_label_errors
from services.data_prep.quality.leakage_check import check_leakage
from services.data_prep.quality.statistics import (
    measure_balance,
    measure_diversity,
    measure_freshness,
)

LISTED_SUSPECTS: Final = 200
QUOTED_CHARACTERS: Final = 200
LABEL_ERRORS, DRIFT, BALANCE = "label_errors", "drift", "balance"


@dataclass(frozen=True, slots=True)
class AssessedDataset:
    """A dataset with its report; the weights of suspected items may be lower than before."""

    prepared: PreparedDataset
    quality: DatasetQuality


def assess(
    command: PrepareDataset, prepared: PreparedDataset, remembered: Sequence[Item]
) -> AssessedDataset:
    """Measure a dataset before it is written, and weigh suspected items as the policy says.

    `remembered` is the replay memory: what the deployed version was trained on.
    """
    new = _select_new(prepared)
    items = [item for _, item in new]
    rank = None
    if command.kind is not AgentKind.GENERATOR:
        rank = rank_label_errors([i.key for i in items], [i.target for i in items])
    errors = _describe_label_errors(rank, new, command.data.suspect_weight)
    drift = measure_drift(items, remembered)
    quality = DatasetQuality(
        agent_id=command.agent_id,
        kind=command.kind,
        items=prepared.counts,
        counts=prepared.quality,
        balance=measure_balance(items) if items else None,
        diversity=measure_diversity(items) if items else None,
        label_errors=errors,
        personal_data=_describe_personal_data(items, redacted=command.data.redact_personal_data),
        leakage=check_leakage(prepared.splits),
        drift=drift,
        freshness=measure_freshness(items),
        agreement=dict(prepared.agreement),
        annotators=prepared.annotators,
        unmeasured=_explain_unmeasured(command, items, rank, drift is None, len(remembered)),
    )
    if rank is not None and command.data.suspect_weight < 1:
        suspects = {items[at].id for at in rank.suspects}
        prepared = weigh_suspects(prepared, suspects, command.data.suspect_weight)
    return AssessedDataset(prepared, quality)


def weigh_suspects(prepared: PreparedDataset, suspects: set[str], factor: float) -> PreparedDataset:
    """The dataset with suspected training items weighing less; with a factor of 0 they weigh a
    thousandth, as a training item has a weight above 0."""

    def weigh(graded: GradedItem) -> GradedItem:
        if graded.item.id not in suspects or graded.item.source == REPLAY:
            return graded
        weight = max(graded.item.weight * factor, graded.item.weight / 1000)
        return replace(graded, item=graded.item.model_copy(update={"weight": weight}))

    train = tuple(weigh(graded) for graded in prepared.splits[Split.TRAIN])
    return replace(prepared, splits={**prepared.splits, Split.TRAIN: train})


def _select_new(prepared: PreparedDataset) -> list[tuple[Split, Item]]:
    """What the sources gave: neither replayed nor altered copies, which repeat others."""
    return [
        (name, graded.item)
        for name, part in prepared.splits.items()
        for graded in part
        if graded.item.source != REPLAY
        and not (graded.item.source == SourceKind.SYNTHETIC and graded.item.generator)
    ]


def _describe_label_errors(
    rank: LabelRank | None, new: Sequence[tuple[Split, Item]], weight: float
) -> LabelErrors | None:
    if rank is None:
        return None
    suspects = rank.suspects
    return LabelErrors(
        checked=len(new),
        suspected=len(suspects),
        proportion=rank.proportion,
        weight=weight,
        items=tuple(
            SuspectItem(
                id=new[at][1].id,
                part=new[at][0],
                input=new[at][1].input[:QUOTED_CHARACTERS],
                label=new[at][1].target,
                suggested=rank.suggested[at],
                margin=rank.margins[at],
            )
            for at in suspects[:LISTED_SUSPECTS]
        ),
    )


def _describe_personal_data(items: Sequence[Item], *, redacted: bool) -> PersonalDataFound:
    found, by_kind = count_personal_data(item.input for item in items)
    return PersonalDataFound(items=found, by_kind=by_kind, redacted=redacted)


def _explain_unmeasured(
    command: PrepareDataset,
    items: Sequence[Item],
    rank: LabelRank | None,
    without_drift: bool,
    remembered: int,
) -> dict[str, str]:
    reasons: dict[str, str] = {}
    if not items:
        reasons[BALANCE] = "there is no new item"
    if command.kind is AgentKind.GENERATOR:
        reasons[LABEL_ERRORS] = "a generator's answers are free texts"
    elif rank is None:
        reasons[LABEL_ERRORS] = (
            f"fewer than {MINIMUM_ITEMS} items have a target that another item has too, or "
            "there are fewer than two such targets"
        )
    if without_drift:
        reasons[DRIFT] = (
            f"{len(items)} new items against {remembered} in the replay memory: each side needs "
            f"{MINIMUM_DRIFT_ITEMS} (the memory fills as versions are deployed)"
        )
    return reasons
