"""Preference optimisation of a generator: pairs by DPO, ORPO or SimPO, ratings by KTO.

The losses are those of TRL's trainers, computed like those of `supervised`: log-probabilities of
the answers alone, those of the reference once, before the first step. The reference is the model
that the run starts from, so that no second model is kept.

Shape suffixes: B rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from transformers import TrainingArguments, set_seed

from archon_contracts.formats import TRAIN_FILE, VALIDATION_FILE
from archon_contracts.metric_names import (
    BAD_ANSWERS,
    GOOD_ANSWERS,
    MAX_LENGTH,
    PAIRS,
    TOO_LONG_ITEMS,
    VALIDATION_LOSS,
    VALIDATION_PREFERENCE,
    VALIDATION_RATED,
    VALIDATION_RAW_PREFERENCE,
)
from archon_contracts.values import PreferenceLoss
from archon_inference.encoder import length_batches
from archon_inference.generation.decoding import tokenize_prompt
from services.trainer.errors import EmptyDataset, NoLearningSignal
from services.trainer.items import TrainingItem, read_items, read_negatives, read_rewarded_items
from services.trainer.recipes.fitting import (
    PlannedTrainer,
    RowNumbers,
    TrainResult,
    build_sampler,
    build_training_arguments,
    fit,
)
from services.trainer.recipes.generators.adapter import TrainableGenerator, load_trainable
from services.trainer.recipes.generators.answer_loss import answer_losses
from services.trainer.recipes.generators.examples import (
    Example,
    ExampleCollator,
    tokenize_answer,
)
from services.trainer.recipes.generators.preference_loss import (
    dpo_losses,
    kto_baseline,
    kto_losses,
    orpo_losses,
    simpo_losses,
)
from services.trainer.recipes.generators.signals import (
    AnswerPair,
    RatedAnswer,
    Signals,
    choose_class_weights,
    split_by_signal,
)
from services.trainer.recipes.progress_callback import ProgressCallback, Report, Validate
from services.trainer.recipes.run import GeneratorConfig, TrainingRun
from shared.logging import get_logger

log = get_logger(__name__)

Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """Two answers as tokens: the chosen and the rejected one of a pair, or a rated answer and one
    that belongs to another input, by which the divergence is estimated."""

    item: TrainingItem
    first: Example
    second: Example
    is_pair: bool
    is_good: bool = True
    class_weight: float = 1.0


def train(run: TrainingRun[GeneratorConfig], report: Report) -> TrainResult:
    """Train and save a generator.

    Raises:
        EmptyDataset: no item says which answer is better or how good one is.
        NoLearningSignal: all ratings are good ones, or all are bad ones.
        RunInvalid: see `load_trainable`.
    """
    set_seed(run.seed)
    signals = read_signals(run)
    generator = load_trainable(run, signals.good_answers)
    rows, too_long = build_rows(signals, generator)
    held_out, _ = build_rows(split_by_signal(read_items(run.dataset / VALIDATION_FILE)), generator)
    loss = PreferenceObjective(generator, run.config, rows)
    # Before any weight moves.
    loss.reference = reference_of(generator, rows, run.config.batch_size)
    progress = ProgressCallback(report, build_validator(loss, held_out, run.config.batch_size))
    trainer = PreferenceTrainer(
        model=generator.model,
        args=TrainingArguments(**build_training_arguments(run, len(rows))),
        data_collator=_collate,
        train_dataset=RowNumbers(len(rows)),
        callbacks=[progress],
    )
    trainer.objective = loss
    lengths = [len(row.first.ids) + len(row.second.ids) for row in rows]
    trainer.sampler = build_sampler(run, [row.item for row in rows], lengths)
    result = fit(trainer, run, progress, score_epoch)
    generator.save(run.output_dir)
    result.metrics.update(
        {
            PAIRS: float(sum(row.is_pair for row in rows)),
            GOOD_ANSWERS: float(sum(not row.is_pair and row.is_good for row in rows)),
            BAD_ANSWERS: float(sum(not row.is_pair and not row.is_good for row in rows)),
            TOO_LONG_ITEMS: float(too_long),
            MAX_LENGTH: float(generator.longest),
        }
    )
    return result


def read_signals(run: TrainingRun[GeneratorConfig]) -> Signals:
    """What the dataset says of answers; where it lists rewarded answers, ratings are theirs.

    Raises:
        EmptyDataset, NoLearningSignal: see `train`.
    """
    items = read_items(run.dataset / TRAIN_FILE)
    rewarded = [item for item in read_rewarded_items(run.dataset) if not item.target]
    listed = {origin for item in rewarded for origin in (item.id, *item.feedback_ids)}
    # An answer with a good rating is an item with a target too: it counts once.
    items = [item for item in items if not listed & {item.id, *item.feedback_ids}]
    signals = split_by_signal([*items, *(rewarded or read_negatives(run.dataset))])
    if not signals.pairs and not signals.rated:
        raise EmptyDataset(
            "No item says which of two answers is better or how good one is: send corrections "
            "(actual and expected), ratings or rewards"
        )
    good = sum(each.is_good for each in signals.rated)
    if not signals.pairs and good in (0, len(signals.rated)):
        kind = "good" if good else "bad"
        raise NoLearningSignal(
            f"All {len(signals.rated)} answers are {kind} ones, so that none is better than "
            "another: send ratings of both kinds or corrections"
            + (", or train with method supervised" if good else "")
        )
    return signals


def build_rows(signals: Signals, generator: TrainableGenerator) -> tuple[list[PreferenceRow], int]:
    """Rows of the signals that fit in the window, and how many do not.

    Each rated answer stands beside the answer to another input, always the same one; in a batch of
    its own, as the last of an odd-sized set is, it would else be compared with itself.
    """
    tokens = _Tokens(generator)
    rows = [tokens.pair(pair) for pair in signals.pairs]
    rated = [each for each in signals.rated if tokens.fits(each.item.input, each.answer)]
    good, bad = choose_class_weights(rated)
    others = [_other_answer(rated, number) for number in range(len(rated))]
    rows += [
        tokens.rated(each, other, good if each.is_good else bad)
        for each, other in zip(rated, others, strict=True)
    ]
    kept = [row for row in rows if row is not None]
    too_long = len(signals.pairs) + len(signals.rated) - len(kept)
    if too_long:
        log.warning("items_too_long", count=too_long, max_length=generator.longest)
    if too_long and not kept:
        raise EmptyDataset(
            f"All {too_long} items are longer than {generator.longest} tokens: shorten them, or "
            "raise max_length"
        )
    return kept, too_long


def _other_answer(rated: Sequence[RatedAnswer], number: int) -> str:
    """The next answer that is another one, to another input where there is one."""
    own = rated[number]
    following = [*rated[number + 1 :], *rated[:number]]
    for other in following:
        if other.answer != own.answer and other.item.input != own.item.input:
            return other.answer
    return next((o.answer for o in following if o.answer != own.answer), own.answer)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Makes rows of texts."""

    generator: TrainableGenerator

    def fits(self, text: str, answer: str) -> bool:
        return self._example(text, answer) is not None

    def pair(self, pair: AnswerPair) -> PreferenceRow | None:
        chosen = self._example(pair.item.input, pair.chosen)
        rejected = self._example(pair.item.input, pair.rejected)
        if chosen is None or rejected is None:
            return None
        return PreferenceRow(pair.item, chosen, rejected, is_pair=True)

    def rated(self, rated: RatedAnswer, other: str, weight: float) -> PreferenceRow | None:
        own = self._example(rated.item.input, rated.answer)
        mismatched = self._example(rated.item.input, other) or own
        if own is None or mismatched is None:
            return None
        return PreferenceRow(rated.item, own, mismatched, False, rated.is_good, weight)

    def _example(self, text: str, answer: str) -> Example | None:
        tokenizer = self.generator.tokenizer
        prompt, target = tokenize_prompt(tokenizer, text), tokenize_answer(tokenizer, answer)
        if len(prompt) + len(target) > self.generator.longest:
            return None
        return Example([*prompt, *target], len(target))


def _collate(numbers: Sequence[int]) -> Batch:
    """The rows themselves are put together by the objective, which knows them."""
    return {"rows": torch.tensor(list(numbers))}


class PreferenceObjective:
    """The loss of rows, by the log-probabilities that model and reference give their answers."""

    def __init__(
        self,
        generator: TrainableGenerator,
        config: GeneratorConfig,
        rows: Sequence[PreferenceRow],
    ) -> None:
        self.generator = generator
        self.rows = rows
        self.reference = torch.empty(0, 2)
        self._config = config

    def compute(self, model: nn.Module, numbers: Sequence[int]) -> Tensor:
        """The loss per unit of weight."""
        rows = [self.rows[number] for number in numbers]
        reference_B2 = self.reference[list(numbers)]
        pairs = [place for place, row in enumerate(rows) if row.is_pair]
        rated = [place for place, row in enumerate(rows) if not row.is_pair]
        learnt = [rows[p].first for p in (*pairs, *rated)] + [rows[p].second for p in pairs]
        sums, counts = answer_log_probabilities(self.generator, model, learnt)
        losses: list[Tensor] = []
        if pairs:
            chosen, rejected = slice(0, len(pairs)), slice(len(rows), None)
            margin_B = sums[chosen] - sums[rejected] - _margin(reference_B2[pairs])
            means = sums / counts
            losses.append(self._pair_losses(margin_B, means[chosen], means[rejected]))
        if rated:
            own_B = sums[len(pairs) : len(rows)]
            mismatched = [rows[place].second for place in rated]
            with torch.no_grad():
                other_B, _ = answer_log_probabilities(self.generator, model, mismatched)
            baseline = kto_baseline(other_B - reference_B2[rated, 1])
            is_good_B = torch.tensor([rows[place].is_good for place in rated])
            reward_B = own_B - reference_B2[rated, 0]
            losses.append(kto_losses(reward_B, baseline, is_good_B, self._beta(0.1)))
        ordered = [rows[place] for place in (*pairs, *rated)]
        weights_B = torch.tensor([row.item.weight for row in ordered])
        class_weights_B = torch.tensor([row.class_weight for row in ordered])
        return (torch.cat(losses) * class_weights_B * weights_B).sum() / weights_B.sum()

    def _pair_losses(self, margin_B: Tensor, chosen_B: Tensor, rejected_B: Tensor) -> Tensor:
        match self._config.preference_loss:
            case PreferenceLoss.DPO:
                return dpo_losses(margin_B, self._beta(0.1))
            case PreferenceLoss.ORPO:
                return orpo_losses(chosen_B, rejected_B, self._beta(0.1))
            case PreferenceLoss.SIMPO:
                # Margin and scale of the paper's table 7: a ratio of a half.
                return simpo_losses(chosen_B, rejected_B, self._beta(2.0), self._beta(2.0) / 2)

    def _beta(self, usual: float) -> float:
        return self._config.preference_beta or usual


def _margin(reference_B2: Tensor) -> Tensor:
    return reference_B2[:, 0] - reference_B2[:, 1]


def answer_log_probabilities(
    generator: TrainableGenerator, model: nn.Module, examples: Sequence[Example]
) -> tuple[Tensor, Tensor]:
    """Log-probability of each whole answer [nats, B], and its number of tokens [B]; on the CPU."""
    collate = ExampleCollator(examples, int(generator.tokenizer.pad_token_id))
    device = next(model.parameters()).device
    batch = {name: t.to(device) for name, t in collate(range(len(examples))).items()}
    losses_B, tokens_B = answer_losses(model, batch)
    return -losses_B.cpu(), tokens_B.cpu()


@torch.no_grad()
def reference_of(generator: TrainableGenerator, rows: Sequence[PreferenceRow], size: int) -> Tensor:
    """Log-probabilities of both answers of each row [B, 2], by the model as it is."""
    generator.model.train(False)
    examples = [example for row in rows for example in (row.first, row.second)]
    found = torch.zeros(len(examples))
    for numbers in length_batches([len(example.ids) for example in examples], 2 * size):
        part = [examples[number] for number in numbers]
        found[numbers] = answer_log_probabilities(generator, generator.model, part)[0]
    return found.view(-1, 2)


class PreferenceTrainer(PlannedTrainer):
    """Learns which answers are better."""

    objective: PreferenceObjective

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Per unit of weight."""
        return self.objective.compute(model, inputs["rows"].tolist())


def build_validator(
    objective: PreferenceObjective, rows: Sequence[PreferenceRow], size: int
) -> Validate:
    """How often the model prefers as the held-out signals do, when called."""
    generator = objective.generator
    before_B2 = reference_of(generator, rows, size) if rows else torch.zeros(0, 2)

    def validate() -> dict[str, float]:
        if not rows:
            return {}
        return measure_preference(rows, reference_of(generator, rows, size), before_B2)

    return validate


def measure_preference(
    rows: Sequence[PreferenceRow], after_B2: Tensor, before_B2: Tensor
) -> dict[str, float]:
    """How held-out rows are preferred: by implicit rewards, what training has moved, and raw.

    Raw compares the answers' own log-probabilities, which favour short ones.
    """
    figures: dict[str, float] = {}
    pairs = [place for place, row in enumerate(rows) if row.is_pair]
    if pairs:
        margin_B, raw_B = _margin((after_B2 - before_B2)[pairs]), _margin(after_B2[pairs])
        figures[VALIDATION_PREFERENCE] = float((margin_B > 0).float().mean())
        figures[VALIDATION_RAW_PREFERENCE] = float((raw_B > 0).float().mean())
        figures[VALIDATION_LOSS] = float(softplus(-margin_B).mean())
    rewards_B = (after_B2 - before_B2)[:, 0]
    good, bad = (
        rewards_B[[p for p, row in enumerate(rows) if not row.is_pair and row.is_good is kind]]
        for kind in (True, False)
    )
    if len(good) and len(bad):
        over = (good[:, None] > bad).float() + 0.5 * (good[:, None] == bad).float()
        figures[VALIDATION_RATED] = float(over.mean())
    return figures


def score_epoch(figures: Mapping[str, float]) -> float | None:
    """What the best epoch is chosen by: the preferences that are as the held-out signals say."""
    found = [figures[n] for n in (VALIDATION_PREFERENCE, VALIDATION_RATED) if n in figures]
    return sum(found) / len(found) if found else None
