"""One label for each annotated record, and what is known of its annotators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archon_contracts.formats import (
    AnnotatorFigure,
    AnnotatorsReport,
    DisputedItem,
    TrainingItem,
)
from services.data_prep.cleaning.annotation import last_labels
from services.data_prep.cleaning.cleaning import TIED_LABELS
from services.data_prep.domain import PreparationCounters
from services.data_prep.labelling.agreement import compute_pairwise_kappa
from services.data_prep.labelling.dawid_skene import fit_dawid_skene
from services.data_prep.text import to_text

MINIMUM_ITEMS: Final = 20
"""With fewer that two named annotators labelled, error rates are guesses: the majority decides."""
MINIMUM_PROBABILITY: Final = 0.7
"""Below, the annotators disagree: the item goes to a person."""
MAXIMUM_CELLS: Final = 5_000_000
"""Of all annotators' confusion matrices: 40 MB. Beyond, as with answers in free text, the majority
decides."""
LISTED_ITEMS: Final = 200
QUOTED_CHARACTERS: Final = 200


def resolve_labels(
    records: Sequence[TrainingItem], counters: PreparationCounters
) -> tuple[list[TrainingItem], AnnotatorsReport | None]:
    """The records with the target that their annotators' error rates speak for.

    A record with a target keeps it, and so does one on which all who labelled it agree or whose
    annotators are not all named; one whose annotators leave it open is left out, counted and
    listed. With too few items, or too many labels, nothing is changed, and the report is absent.
    """
    open_records = [
        place
        for place, record in enumerate(records)
        if record.annotations and not to_text(record.target)
    ]
    votes = {place: _read_votes(records[place]) for place in open_records}
    shared = [place for place in open_records if len(votes[place]) > 1]
    if len(shared) < MINIMUM_ITEMS:
        return list(records), None
    places = [place for place in open_records if votes[place]]
    labels = {label for place in places for label in votes[place].values()}
    names = {name for place in places for name in votes[place]}
    if len(names) * len(labels) ** 2 > MAXIMUM_CELLS:
        return list(records), None
    model = fit_dawid_skene([votes[place] for place in places])
    resolved: list[TrainingItem | None] = list(records)
    disputed: list[DisputedItem] = []
    for place, estimate in zip(places, model.items, strict=True):
        if not _are_all_named(records[place]):
            continue  # the majority decides, in which all count
        if len(agreed := set(votes[place].values())) == 1:
            # Nobody's error rate speaks against a label that nobody contradicts.
            resolved[place] = records[place].model_copy(update={"target": agreed.pop()})
            continue
        if estimate.probability >= MINIMUM_PROBABILITY:
            resolved[place] = records[place].model_copy(update={"target": estimate.label})
        else:
            disputed.append(_describe(records[place], votes[place], estimate.probability))
            resolved[place] = None
            counters.unusable[TIED_LABELS] += 1
    kappa = compute_pairwise_kappa([votes[place] for place in shared])
    report = AnnotatorsReport(
        items=len(places),
        kappa=None if kappa is None else round(kappa, 6),
        disputed=len(disputed),
        disputed_items=tuple(disputed[:LISTED_ITEMS]),
        annotators=tuple(
            AnnotatorFigure(
                annotator_id=name,
                labels=sum(name in votes[place] for place in places),
                accuracy=accuracy,
            )
            for name, accuracy in sorted(model.accuracy.items())
        ),
    )
    return [record for record in resolved if record is not None], report


def _are_all_named(record: TrainingItem) -> bool:
    return all(each.annotator_id for each in last_labels(record.annotations))


def _read_votes(record: TrainingItem) -> dict[str, str]:
    """The last label of each named annotator."""
    return {
        a.annotator_id: to_text(a.label) for a in last_labels(record.annotations) if a.annotator_id
    }


def _describe(record: TrainingItem, votes: dict[str, str], probability: float) -> DisputedItem:
    return DisputedItem(
        id=record.id,
        text=to_text(record.input)[:QUOTED_CHARACTERS],
        labels=tuple(sorted(set(votes.values()))),
        probability=probability,
    )
