"""Reinforcement of a generator by rewards of its own answers: group-relative policy optimisation.

Each step samples a group of answers to each of its prompts; an answer's advantage is its reward
less the group's mean, over the group's deviation. With one update a sample the clipped ratio of the
paper is 1, so that the gradient is that of the advantage-weighted log-probability.
Source: Shao et al. 2024, DeepSeekMath, section 4.1; without its divergence term and normalised by
the tokens of all answers, as TRL's default.

Shape suffixes: P prompts, G answers of a prompt.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, TrainingArguments, set_seed

from archon_contracts.metric_names import (
    MAX_LENGTH,
    REWARD_SPREAD,
    TOO_LONG_ITEMS,
)
from archon_inference.generation.decoding import read_answer, sample
from services.trainer.checkpoints.store import find_newest_checkpoint
from services.trainer.errors import NoLearningSignal
from services.trainer.items import TrainingItem, read_training_items
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
from services.trainer.recipes.generators.answer_rewards import (
    RewardMix,
    ScoredAnswers,
    compose_answer_rewards,
)
from services.trainer.recipes.generators.examples import (
    Example,
    ExampleCollator,
    Examples,
    build_examples,
)
from services.trainer.recipes.generators.reward_checks import (
    SMALL_GAIN,
    AnswerSample,
    compare_samples,
)
from services.trainer.recipes.generators.supervised import fit_answers
from services.trainer.recipes.generators.validation import (
    build_validator,
    find_closed_set,
    score_epoch,
)
from services.trainer.recipes.progress_callback import ProgressCallback, Report
from services.trainer.recipes.run import GeneratorConfig, TrainingRun
from shared.logging import get_logger

log = get_logger(__name__)

PROBED: Final = 16
"""Prompts whose sampled answers are compared before and after."""
STEPS_WITHOUT_SIGNAL: Final = 10
"""After which a run whose answers all earn the same has ended."""
SMALLEST_SPREAD: Final = 1e-6
START_FOLDER: Final = "start"


def train(run: TrainingRun[GeneratorConfig], report: Report) -> TrainResult:
    """Train and save a generator.

    Raises:
        NoLearningSignal: all answers earn the same, before the first step or for many steps.
        RewardInvalid: a reward failed, hung, or gave what is no number from -1 to 1.
        EmptyDataset: there is no item, or none short enough.
        RunInvalid: a reward is not known; or see `load_trainable`.
    """
    set_seed(run.seed)
    items, validation_items = read_training_items(run.dataset)
    closed = find_closed_set(items)
    rewards = compose_answer_rewards(run.config.rewards, closed)
    generator = load_trainable(run, [item.target for item in items])
    examples = build_examples(items, generator.tokenizer, generator.longest)
    policy = SampledPolicy(generator, run.config, examples, rewards)
    if run.config.supervised_steps:
        # Of a resumed run too, which finds it done: what is compared at the end begins here.
        _start_supervised(run, generator, examples)
    before = policy.probe()
    policy.reward_before = before.reward
    if find_newest_checkpoint(run.checkpoint_dir) is None:
        require_spread(before, policy.config)

    progress = ProgressCallback(
        report, build_validator(generator.as_generator(), lambda: None, validation_items, closed)
    )
    trainer = PolicyTrainer(
        model=generator.model,
        args=TrainingArguments(**build_training_arguments(run, len(examples.rows))),
        data_collator=lambda numbers: {"rows": torch.tensor(list(numbers))},
        train_dataset=RowNumbers(len(examples.rows)),
        callbacks=[progress],
    )
    trainer.policy = policy
    lengths = [len(row.ids) - row.answer for row in examples.rows]
    trainer.sampler = build_sampler(run, examples.items, lengths)
    result = fit(trainer, run, progress, score_epoch)
    generator.save(run.output_dir)
    figures, suspicions = compare_samples(before, policy.probe(), rewards.weights)
    for suspicion in suspicions:
        log.warning("reward_may_be_gamed", sign=suspicion)
    result.metrics.update(figures)
    result.metrics[REWARD_SPREAD] = statistics.fmean(policy.spreads) if policy.spreads else 0.0
    result.metrics[TOO_LONG_ITEMS] = float(examples.too_long)
    result.metrics[MAX_LENGTH] = float(generator.longest)
    return result


def _start_supervised(
    run: TrainingRun[GeneratorConfig], generator: TrainableGenerator, examples: Examples
) -> None:
    """Some supervised steps, for a model that never earns a reward by itself."""
    config = run.config.model_copy(
        update={"max_steps": run.config.supervised_steps, "epochs": 100.0}
    )
    places = {"config": config, "checkpoint_dir": run.checkpoint_dir / START_FOLDER}
    silent = ProgressCallback(lambda event: None, dict)
    fit_answers(run.model_copy(update=places), generator, examples, silent)


def require_spread(sampled: AnswerSample, config: GeneratorConfig) -> None:
    """Refuse a model whose answers all earn the same: a training could teach it nothing.

    Raises:
        NoLearningSignal: that is so.
    """
    totals = sampled.scores.totals
    if max(totals) - min(totals) > SMALLEST_SPREAD:
        return
    cure = (
        "name other rewards"
        if config.supervised_steps
        else "start with training.supervised_steps (such as 10), or name other rewards"
    )
    raise NoLearningSignal(
        f"No learning signal: {len(totals)} sampled answers, such as {sampled.texts[0][:60]!r}, "
        f"all earn {totals[0]:g}; {cure}"
    )


@dataclass(slots=True)
class SampledPolicy:
    """The model as a policy: it samples answers, which are rewarded."""

    generator: TrainableGenerator
    config: GeneratorConfig
    examples: Examples
    rewards: RewardMix
    reward_before: float = 0.0
    spreads: list[float] = field(default_factory=list)
    silent_steps: int = 0

    def sample(self, numbers: Sequence[int]) -> tuple[list[Example], AnswerSample]:
        """A group of answers to each prompt, side by side, as tokens and as scored texts."""
        generator, card = self.generator, self.generator.card
        prompts = [self._prompt(number) for number in numbers]
        model = cast("PreTrainedModel", generator.model.get_base_model())
        was_training = model.training
        generator.model.train(False)  # answers are sampled as they are served, without dropout
        answers = sample(
            model,
            generator.tokenizer,
            prompts,
            max_new_tokens=card.max_new_tokens,
            stop_at_line_end=card.stop_at_line_end,
            temperature=self.config.sampling_temperature,
            count=self.config.group_size,
        )
        generator.model.train(was_training)
        texts = [
            read_answer(generator.tokenizer, ids, stop_at_line_end=card.stop_at_line_end)
            for ids in answers
        ]
        size = self.config.group_size
        asked = [self.examples.items[number] for number in numbers for _ in range(size)]
        scores = self.score(asked, texts)
        rows = [
            Example([*prompts[place // size], *ids], len(ids)) for place, ids in enumerate(answers)
        ]
        return rows, AnswerSample(texts, [len(ids) for ids in answers], scores)

    def score(self, items: Sequence[TrainingItem], texts: Sequence[str]) -> ScoredAnswers:
        """What the rewards say of these answers."""
        return self.rewards.score(
            [
                item.model_copy(update={"actual": text})
                for item, text in zip(items, texts, strict=True)
            ]
        )

    def probe(self) -> AnswerSample:
        """Answers to the first prompts. It leaves the run's random numbers as they are."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return self.sample(range(min(PROBED, len(self.examples.rows))))[1]

    def record(self, is_spread_P: Sequence[bool], reward: float) -> None:
        """Note a step's spread.

        Raises:
            NoLearningSignal: too many steps in a row had none, and nothing was gained before. A
                policy that has learnt what it can earns the same with all its answers.
        """
        self.spreads.append(sum(is_spread_P) / len(is_spread_P))
        self.silent_steps = 0 if any(is_spread_P) else self.silent_steps + 1
        gained = reward - self.reward_before > SMALL_GAIN
        if self.silent_steps >= STEPS_WITHOUT_SIGNAL and not gained:
            raise NoLearningSignal(
                f"No learning signal: for {self.silent_steps} steps all answers to a prompt "
                f"earned the same ({reward:g} in the mean); raise training.sampling_temperature or "
                "training.group_size, or lower training.learning_rate"
            )

    def _prompt(self, number: int) -> list[int]:
        row = self.examples.rows[number]
        return row.ids[: -row.answer]


class PolicyTrainer(PlannedTrainer):
    """Raises the probability of answers that earn more than others to the same prompt."""

    policy: SampledPolicy

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Advantage-weighted log-probability, per token of all answers."""
        policy = self.policy
        rows, sampled = policy.sample(inputs["rows"].tolist())
        totals_PG = torch.tensor(sampled.scores.totals).view(-1, policy.config.group_size)
        advantages_PG = compute_advantages(totals_PG)
        policy.record((advantages_PG != 0).any(-1).tolist(), sampled.reward)
        collate = ExampleCollator(rows, int(policy.generator.tokenizer.pad_token_id))
        device = next(model.parameters()).device
        batch = {name: t.to(device) for name, t in collate(range(len(rows))).items()}
        losses, tokens = answer_losses(model, batch, policy.config.sampling_temperature)
        return (losses * advantages_PG.flatten().to(device)).sum() / tokens.sum()


def compute_advantages(rewards_PG: Tensor) -> Tensor:
    """Rewards less their group's mean, over its deviation; 0 in a group that earned the same."""
    centred_PG = rewards_PG - rewards_PG.mean(-1, keepdim=True)
    deviation_P1 = rewards_PG.std(-1, keepdim=True)
    spread_P1 = deviation_P1 > SMALLEST_SPREAD
    return torch.where(spread_P1, centred_PG / (deviation_P1 + 1e-4), 0.0)
