"""From sources to a dataset: the steps, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archon_contracts.commands import PrepareDataset, SourceKind
from archon_contracts.values import AgentKind
from services.data_prep.cleaning.annotation import Agreement, nominal_agreement
from services.data_prep.cleaning.cleaning import once_each, usable
from services.data_prep.dedup.leakage import without_held_out
from services.data_prep.dedup.merging import Folded, fold
from services.data_prep.domain import (
    Held,
    HeldOut,
    Item,
    Policy,
    Prepared,
    Refused,
    Split,
    Tally,
    Targets,
)
from services.data_prep.sampling import replay_buffer as replay
from services.data_prep.sampling.augmentation import variants
from services.data_prep.sampling.difficulty import graded
from services.data_prep.sampling.splitting import split
from services.data_prep.sources.records import Reading, Record
from services.data_prep.text import as_text
from services.data_prep.trust.rules import weigh

SYNTHETIC = "synthetic"
RETRACTED = "retracted"
DEFAULT_VALIDATION_SHARE: float = PrepareDataset.model_fields["validation_share"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that a dataset is made of. Equal material gives equal datasets."""

    command: PrepareDataset
    readings: Sequence[Reading]
    targets: Targets
    held_out: HeldOut = field(default_factory=dict)
    memory: Sequence[Item] = ()
    forgotten: frozenset[str] = frozenset()
    """Ids of feedback that was retracted."""


def prepare(material: Material, policy: Policy) -> Prepared | Refused:
    """Clean, hold what is not trusted, keep the evaluation's items out, replay, split and grade.

    Refused when nothing new is left: training on old items alone teaches nothing.
    """
    tally = Tally()
    new, held = _new_items(material, policy, tally)
    folded = fold(new, _replay_candidates(material, new), material.held_out, policy, tally)
    if not folded.new:
        return Refused(_reason(tally), tally.report(0, {}, 0))
    share = material.command.plan.replay_share
    replayed = folded.replayed[: replay.wanted(len(folded.new), share)]
    parts = _split(material.command, policy, folded, replayed)
    learned = [item for item in parts[Split.TRAIN] if item.source != SYNTHETIC]
    parts[Split.TRAIN] += _augmented(material, policy, parts)
    parts[Split.TRAIN] += replayed
    return _prepared(material, tally, parts, learned, held)


def _new_items(
    material: Material, policy: Policy, tally: Tally
) -> tuple[list[Item], tuple[Held, ...]]:
    for reading in material.readings:
        tally.received += reading.received
        tally.unusable.update(reading.unreadable)
    given = usable(_standing(material, tally), material.targets, tally)
    command = material.command
    weighed = weigh(given, _recalled(material), command.trust, policy, command.seed)
    tally.held.update(str(held.reason) for held in weighed.held)
    items = once_each(weighed.items, tally)
    return without_held_out(items, material.held_out, tally), weighed.held


def _standing(material: Material, tally: Tally) -> Iterator[Record]:
    """The records that were not retracted since their window was written."""
    for reading in material.readings:
        for record in reading.records:
            if record.kind is SourceKind.FEEDBACK and record.id in material.forgotten:
                tally.unusable[RETRACTED] += 1
            else:
                yield record


def _replay_candidates(material: Material, new: Sequence[Item]) -> list[Item]:
    command = material.command
    count = replay.wanted(len(new), command.plan.replay_share)
    memory = _recalled(material)
    taken = material.held_out.keys() | {item.key for item in new}
    # Twice as many as needed: some may turn out to be near duplicates of new items.
    return replay.candidates(memory, taken, 2 * count, command.seed)


def _recalled(material: Material) -> list[Item]:
    """What is remembered and still is an answer of the agent."""
    return [item for item in material.memory if material.targets.accepts(item.target)]


def _split(
    command: PrepareDataset, policy: Policy, folded: Folded, replayed: Sequence[Item]
) -> dict[Split, list[Item]]:
    """New items by their shares; what lies near a replayed item is for training like it."""
    return split(
        folded.new,
        folded.cluster_of,
        shares_of(command, policy),
        seed=command.seed,
        pinned={folded.cluster_of[item.key] for item in replayed},
        stratified=command.kind is not AgentKind.GENERATOR,
    )


def shares_of(command: PrepareDataset, policy: Policy) -> dict[Split, float]:
    """How much is kept from training. A suite tests already, so all but a little is trained on."""
    if command.evaluation_suite is None:
        return {Split.VALIDATION: command.validation_share, Split.TEST: command.test_share}
    asked = command.validation_share
    by_default = asked == DEFAULT_VALIDATION_SHARE
    return {Split.VALIDATION: policy.validation_share_with_suite if by_default else asked}


def _augmented(material: Material, policy: Policy, parts: dict[Split, list[Item]]) -> list[Item]:
    if not policy.augmentation_share:
        return []
    taken = material.held_out.keys() | {item.key for part in parts.values() for item in part}
    train = parts[Split.TRAIN]
    return variants(train, policy.augmentation_share, material.command.seed, taken)


def _prepared(
    material: Material,
    tally: Tally,
    parts: dict[Split, list[Item]],
    learned: list[Item],
    held: tuple[Held, ...],
) -> Prepared:
    items = [item for part in parts.values() for item in part]
    replayed = material.command.plan.replay_share > 0
    known = Counter(item.target for item in material.memory if replayed)
    grades = iter(graded(items, material.targets.descriptions, known))
    splits = {name: tuple(next(grades) for _ in part) for name, part in parts.items()}
    by_source = Counter(item.source for item in items)
    agreement = _agreement(material.readings)
    return Prepared(
        splits=splits,
        learned=tuple(learned),
        quality=tally.report(len(items), by_source, len({item.target for item in items})),
        unusable=dict(sorted(tally.unusable.items())),
        agreement={
            "alpha": agreement.alpha,
            "units": agreement.units,
            "ratings": agreement.ratings,
        },
        held=held,
    )


def _agreement(readings: Sequence[Reading]) -> Agreement:
    records = (record for reading in readings for record in reading.records)
    return nominal_agreement([as_text(label) for label in r.labels] for r in records if r.labels)


def _reason(tally: Tally) -> str:
    if not tally.received:
        return "the sources hold no items"
    parts = [f"{count} {reason}" for reason, count in sorted(tally.unusable.items())]
    if tally.held:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(tally.held.items()))
        parts.append(f"{tally.held.total()} not trusted ({reasons})")
    if tally.held_out:
        parts.append(f"{tally.held_out} in the evaluation suite or nearly so")
    return f"none of {tally.received} items can be trained on: {', '.join(parts)}"
