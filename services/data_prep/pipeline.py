"""From sources to a dataset: the steps, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from archon_contracts.commands import PrepareDataset, SourceKind
from archon_contracts.formats import REPLAY, AnnotatorsReport, QuarantinedItem, Split, TrainingItem
from archon_contracts.values import AgentKind, TrainingMethod
from services.data_prep.cleaning.annotation import Agreement, krippendorff_alpha, last_labels
from services.data_prep.cleaning.cleaning import build_items, deduplicate
from services.data_prep.cleaning.filters import clean_records
from services.data_prep.cleaning.negatives import build_negatives, excludes_any, merge_negatives
from services.data_prep.cleaning.rewarded import build_rewarded
from services.data_prep.dedup.leakage import drop_held_out
from services.data_prep.dedup.merging import MergedItems, keep_apart, merge_near_duplicates
from services.data_prep.domain import (
    HeldOut,
    Item,
    PreparationCounters,
    PreparationPolicy,
    PreparedDataset,
    RejectedDataset,
    SamplingSeeds,
    Targets,
)
from services.data_prep.labelling.resolution import resolve_labels
from services.data_prep.sampling import replay_buffer as replay
from services.data_prep.sampling.augmentation import make_variants
from services.data_prep.sampling.difficulty import grade_difficulty
from services.data_prep.sampling.reference_set import select_candidates
from services.data_prep.sampling.splitting import cap_raters, split
from services.data_prep.sources.records import ParsedSource
from services.data_prep.text import to_text
from services.data_prep.trust.negatives import apply_trust_to_negatives, cap_rewarded
from services.data_prep.trust.rules import TrustResult, apply_trust

RETRACTED = "retracted"
DEFAULT_VALIDATION_SHARE: float = PrepareDataset.model_fields["validation_proportion"].default


@dataclass(frozen=True, kw_only=True)
class PreparationInputs:
    """All that a dataset is made of. Equal inputs give equal datasets."""

    command: PrepareDataset
    parsed_sources: Sequence[ParsedSource]
    targets: Targets
    held_out: HeldOut = field(default_factory=dict)
    memory: Sequence[Item] = ()
    reference: Sequence[Item] = ()
    """The protected reference set; nothing of it is trained on."""
    seeds: SamplingSeeds | None = None
    """Absent: the command's own seed, which is no secret."""
    erased_feedback_ids: frozenset[str] = frozenset()
    """Ids of feedback that was retracted."""

    @property
    def seed(self) -> int:
        """The seed of every sample of this preparation."""
        return self.seeds.job if self.seeds else self.command.seed

    @property
    def split_seed(self) -> int:
        """One for ever: what a version was trained on must not test a later one, whatever seed
        its job names."""
        return self.seeds.agent if self.seeds else replay.RESERVOIR_SEED

    @property
    def never_trained(self) -> HeldOut:
        """What the evaluation asks: the suite, and what is asked of the reference set."""
        asked = {item.key: frozenset({item.target}) for item in self.asked_reference}
        return {**asked, **self.held_out}

    @property
    def asked_reference(self) -> tuple[Item, ...]:
        """The reference items that the evaluation asks: beside a suite those of new labels."""
        if self.command.evaluation_suite is None:
            return tuple(self.reference)
        return tuple(item for item in self.reference if self.is_new_label(item.target))

    def is_new_label(self, target: str) -> bool:
        """Whether a classifier's suite asks for no such label: it could not show what is learnt."""
        command = self.command
        if command.kind is not AgentKind.CLASSIFIER or command.evaluation_suite is None:
            return False
        return target not in self._suite_labels

    @cached_property
    def _suite_labels(self) -> frozenset[str]:
        return frozenset().union(*self.held_out.values())


@dataclass(frozen=True, slots=True)
class NewItems:
    """What the sources teach: items with an answer, items with wrong ones alone, and, for a
    training by rewards, all answers that were rewarded.

    `quarantined` are those that are not believed.
    """

    items: list[Item] = field(default_factory=list)
    negatives: tuple[Item, ...] = ()
    quarantined: tuple[QuarantinedItem, ...] = ()
    rewarded: tuple[Item, ...] = ()
    annotators: AnnotatorsReport | None = None


def prepare(
    inputs: PreparationInputs, policy: PreparationPolicy
) -> PreparedDataset | RejectedDataset:
    """Clean, hold what is not trusted, keep the evaluation's items out, replay, split and grade.

    RejectedDataset when nothing new is left: training on old items alone teaches nothing.
    """
    counters = PreparationCounters()
    if inputs.command.withdrawal:
        return _prepare_withdrawal(inputs, policy, counters)
    new = _select_new_items(inputs, policy, counters)
    replayable = _select_replay_candidates(inputs, new.items)
    merged = merge_near_duplicates(new.items, replayable, inputs.never_trained, policy, counters)
    if not merged.new and not any(excludes_any(one, inputs.targets) for one in new.negatives):
        reason = _explain_rejection(counters, len(new.negatives))
        return RejectedDataset(reason, counters.report(0, {}, 0))
    replayed = merged.replayed[: _count_to_replay(inputs, len(merged.new))]
    parts = _split(inputs, policy, merged, replayed)
    learned = [item for item in parts[Split.TRAIN] if item.source != SourceKind.SYNTHETIC]
    parts[Split.TRAIN] += _augment(inputs, policy, parts)
    parts[Split.TRAIN] += replayed
    # The test part decides about the version, so no reward of its inputs may teach it.
    tested = {item.key for item in parts[Split.TEST]}
    new = replace(new, rewarded=keep_apart(new.rewarded, tested, policy))
    return _assemble(inputs, counters, parts, learned, new)


def _prepare_withdrawal(
    inputs: PreparationInputs, policy: PreparationPolicy, counters: PreparationCounters
) -> PreparedDataset | RejectedDataset:
    """Nothing new: what is remembered, without what was retracted, or only a list of that.

    What is remembered is split like new items, so that the training has items to validate on.
    """
    if not inputs.command.rehearse:
        return _assemble(inputs, counters, {split: [] for split in Split}, [], NewItems())
    memory = _usable_replay_items(inputs)
    merged = merge_near_duplicates(memory, [], inputs.never_trained, policy, counters)
    if not merged.new:
        return RejectedDataset(
            "nothing is left to train on without the retracted feedback; send feedback, or request "
            "a training on a dataset",
            counters.report(0, {}, 0),
        )
    parts = {
        part: [item.model_copy(update={"source": REPLAY}) for item in items]
        for part, items in _split(inputs, policy, merged, ()).items()
    }
    prepared = _assemble(inputs, counters, parts, [], NewItems())
    # They were trained on before, so none of them may guard later versions.
    return replace(prepared, reference_candidates=())


def _select_new_items(
    inputs: PreparationInputs, policy: PreparationPolicy, counters: PreparationCounters
) -> NewItems:
    for reading in inputs.parsed_sources:
        counters.received += reading.received
        counters.unusable.update(reading.unreadable)
    command = inputs.command
    usable = _drop_retracted(inputs, counters)
    cleaned = list(clean_records(usable, command.data, command.kind, counters))
    records, annotators = resolve_labels(cleaned, counters)
    candidates = build_items(records, inputs.targets, counters)
    memory, trust = _usable_replay_items(inputs), inputs.command.trust
    is_update = inputs.command.fast_path
    trusted = apply_trust(candidates, memory, trust, policy, inputs.seed, is_update=is_update)
    counters.quarantined.update(str(quarantined.reason) for quarantined in trusted.quarantined)
    items = deduplicate(trusted.items, counters)
    negatives = TrustResult([], ())
    if _learns_from_wrong_answers(inputs.command):
        rated = build_negatives(records, inputs.targets, trust, counters)
        negatives = apply_trust_to_negatives(rated, items, memory, trust, policy, inputs.seed)
        counters.duplicates += len(rated) - len(negatives.items) - len(negatives.quarantined)
        counters.quarantined.update(str(each.reason) for each in negatives.quarantined)
    asked = inputs.never_trained
    merged = merge_negatives(negatives.items, counters)
    kept = keep_apart(merged, asked, policy)
    counters.held_out += len(merged) - len(kept)
    quarantined = (*trusted.quarantined, *negatives.quarantined, *counters.set_aside)
    rewarded: Sequence[Item] = ()
    if inputs.command.method is TrainingMethod.REINFORCEMENT:
        rewarded = build_rewarded(records, inputs.targets)
        names = {item.id for item in quarantined}
        rewarded = cap_rewarded(rewarded, names, memory, trust, policy, inputs.seed)
        rewarded = keep_apart(rewarded, asked, policy)
    return NewItems(
        drop_held_out(items, asked, counters), kept, quarantined, tuple(rewarded), annotators
    )


def _learns_from_wrong_answers(command: PrepareDataset) -> bool:
    """A closed form does, and a generator by preference; an update is made of corrections."""
    by_preference = command.method is TrainingMethod.PREFERENCE
    return not command.fast_path and (command.kind is not AgentKind.GENERATOR or by_preference)


def _drop_retracted(
    inputs: PreparationInputs, counters: PreparationCounters
) -> Iterator[TrainingItem]:
    """The records that were not retracted since their window was written."""
    for reading in inputs.parsed_sources:
        for record in reading.records:
            if record.source == SourceKind.FEEDBACK and record.id in inputs.erased_feedback_ids:
                counters.unusable[RETRACTED] += 1
            else:
                yield record


def _select_replay_candidates(inputs: PreparationInputs, new: Sequence[Item]) -> list[Item]:
    count = _count_to_replay(inputs, len(new))
    memory = _usable_replay_items(inputs)
    taken = inputs.never_trained.keys() | {item.key for item in new}
    # Twice as many as needed: some may turn out to be near duplicates of new items.
    return replay.select_candidates(memory, taken, 2 * count, inputs.seed)


def _count_to_replay(inputs: PreparationInputs, new_items: int) -> int:
    """How many remembered items go with so many new ones; all of them in a rehearsal."""
    if inputs.command.rehearse:
        return len(inputs.memory)
    return replay.count_to_replay(new_items, inputs.command.plan.replay_ratio)


def _usable_replay_items(inputs: PreparationInputs) -> list[Item]:
    """What is remembered and still is an answer of the agent."""
    return [item for item in inputs.memory if inputs.targets.accepts(item.target)]


def _split(
    inputs: PreparationInputs,
    policy: PreparationPolicy,
    merged: MergedItems,
    replayed: Sequence[Item],
) -> dict[Split, list[Item]]:
    """New items by their shares; what lies near a replayed item is for training like it.

    Beside a suite only labels that it does not ask give a test part.
    """
    command, cluster_of = inputs.command, merged.cluster_of
    shares, pinned = (
        compute_split_shares(command, policy),
        {cluster_of[item.key] for item in replayed},
    )

    def part(items: Sequence[Item], shares: Mapping[Split, float]) -> dict[Split, list[Item]]:
        stratified = command.kind is not AgentKind.GENERATOR
        seed = inputs.split_seed
        return split(items, cluster_of, shares, seed=seed, pinned=pinned, stratified=stratified)

    real = [item for item in merged.new if item.source != SourceKind.SYNTHETIC]
    made = [item for item in merged.new if item.source == SourceKind.SYNTHETIC]
    # Never tested with, and validated on where nothing is real; what lies near them is trained on.
    parts_made = part(made, {} if real else {**shares, Split.TEST: 0.0})
    pinned |= {cluster_of[item.key] for item in made}
    # One that stands word for word in a longer one made of it is not near it.
    all_made = "\n".join(item.key for item in made)
    pinned |= {cluster_of[item.key] for item in real if item.key in all_made}
    tested = [item for item in real if inputs.is_new_label(item.target)]
    parts = part([item for item in real if not inputs.is_new_label(item.target)], shares)
    if tested and shares:
        # What lies near an item of a known label is for training like it.
        pinned |= {cluster_of[item.key] for each in parts.values() for item in each}
        more = part(tested, {**shares, Split.TEST: command.test_proportion})
        parts = {name: parts[name] + more[name] for name in Split}
    elif tested:
        parts[Split.TRAIN] += tested
    parts = {name: parts[name] + parts_made[name] for name in Split}
    return cap_raters(parts, cluster_of, seed=inputs.split_seed)


def refuse_untestable(
    inputs: PreparationInputs, policy: PreparationPolicy, prepared: PreparedDataset
) -> RejectedDataset | None:
    """Why nothing could be decided about a model of this dataset; None where it could.

    Refused before a training is paid for whose result cannot be evaluated.
    """
    shares = compute_split_shares(inputs.command, policy)
    if not shares.get(Split.TEST) or prepared.splits[Split.TEST]:
        return None
    stated = " and ".join(f"{share:.0%} for {part}" for part, share in shares.items())
    items = [graded.item for part in prepared.splits.values() for graded in part]
    new = sum(item.source != REPLAY for item in items)
    if new and all(item.source in (REPLAY, SourceKind.SYNTHETIC) for item in items):
        return RejectedDataset(
            f"all {new} new items are synthetic, and no version is decided about with such items: "
            "name an evaluation suite, or add real items",
            prepared.quality,
        )
    return RejectedDataset(
        f"{new} items with {stated} leave none for the test that decides about the new version, "
        "as at least half of each target's items are trained on: give more items a target, lower "
        "validation.split, or name an evaluation suite",
        prepared.quality,
    )


def compute_split_shares(command: PrepareDataset, policy: PreparationPolicy) -> dict[Split, float]:
    """How much is kept from training. A suite tests already, so all but a little is trained on.

    An update of the fast path is a handful of corrections, and the user waits for each of them.
    """
    if command.fast_path:
        return {}
    if command.evaluation_suite is None:
        return {
            Split.VALIDATION: command.validation_proportion,
            Split.TEST: command.test_proportion,
        }
    requested = command.validation_proportion
    by_default = requested == DEFAULT_VALIDATION_SHARE
    return {Split.VALIDATION: policy.validation_share_with_suite if by_default else requested}


def _augment(
    inputs: PreparationInputs, policy: PreparationPolicy, parts: dict[Split, list[Item]]
) -> list[Item]:
    if not policy.augmentation_share:
        return []
    taken = inputs.never_trained.keys() | {item.key for part in parts.values() for item in part}
    train = parts[Split.TRAIN]
    return make_variants(train, policy.augmentation_share, inputs.seed, taken)


def _assemble(
    inputs: PreparationInputs,
    counters: PreparationCounters,
    parts: dict[Split, list[Item]],
    learned: list[Item],
    new: NewItems,
) -> PreparedDataset:
    items = [item for part in parts.values() for item in part]
    replayed = inputs.command.plan.replay_ratio > 0 or inputs.command.rehearse
    known = Counter(item.target for item in inputs.memory if replayed)
    grades = iter(grade_difficulty(items, inputs.targets.descriptions, known))
    splits = {name: tuple(next(grades) for _ in part) for name, part in parts.items()}
    by_source = Counter(item.source for item in items)
    agreement = _measure_agreement(inputs.parsed_sources)
    return PreparedDataset(
        splits=splits,
        learned=tuple(learned),
        reference=inputs.asked_reference,
        reference_candidates=tuple(select_candidates(parts[Split.TEST], inputs.seed)),
        quality=counters.report(len(items), by_source, len({item.target for item in items})),
        unusable=dict(sorted(counters.unusable.items())),
        agreement={
            "alpha": agreement.alpha,
            "units": agreement.units,
            "ratings": agreement.ratings,
        },
        negatives=new.negatives,
        rewarded=new.rewarded,
        quarantined=new.quarantined,
        annotators=new.annotators,
    )


def _measure_agreement(parsed_sources: Sequence[ParsedSource]) -> Agreement:
    records = (record for reading in parsed_sources for record in reading.records)
    return krippendorff_alpha(
        [to_text(annotation.label) for annotation in last_labels(record.annotations)]
        for record in records
        if record.annotations
    )


def _explain_rejection(counters: PreparationCounters, uninformative: int) -> str:
    if not counters.received:
        return "the sources hold no items"
    parts = [f"{count} {reason}" for reason, count in sorted(counters.unusable.items())]
    if uninformative:
        parts.append(f"{uninformative} wrong answers that are none of the agent's, or no answer")
    if counters.quarantined:
        reasons = ", ".join(
            f"{count} {reason}" for reason, count in sorted(counters.quarantined.items())
        )
        parts.append(f"{counters.quarantined.total()} not trusted ({reasons})")
    if counters.conflicting:
        parts.append(
            f"{counters.conflicting} contradict each other, for instance "
            f"{counters.set_aside[0].explanation}: state one target for an input"
        )
    if counters.held_out:
        parts.append(f"{counters.held_out} in the evaluation suite or nearly so")
    return f"none of {counters.received} items can be trained on: {', '.join(parts)}"
