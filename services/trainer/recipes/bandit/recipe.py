"""Train a classifier or selector by reinforcement: its head, from logged rewards.

The encoder stays that of the version before. A quarter of the logs is held out, and says what the
new policy would have earned; the gate decides on its own items, as of every other method.

Shape suffixes: N items, F features, A answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from archon_contracts import metric_names as names
from archon_contracts.formats import TRAIN_FILE, VALIDATION_FILE
from archon_inference.classifier import Classifier
from archon_inference.selector import Selector
from services.trainer.closed_form.learnt_items import load_state, save_state
from services.trainer.items import TrainingItem, read_items, read_negatives, read_rewarded_items
from services.trainer.recipes.bandit.estimates import report_policy
from services.trainer.recipes.bandit.estimators import choose_estimator
from services.trainer.recipes.bandit.linear_policy import LinearPolicy, start_policy
from services.trainer.recipes.bandit.logs import RewardedAnswers, read_rewarded
from services.trainer.recipes.bandit.policy import (
    STEPS,
    Rewarded,
    Stated,
    Whitening,
    check_signal,
    learn_policy,
)
from services.trainer.recipes.bandit.rewards import compose
from services.trainer.recipes.candidates import ClosedFormCandidate, fit_closed_form
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import EncoderConfig, TrainingRun


def train(run: TrainingRun[EncoderConfig], report: Report) -> TrainResult:
    """Learn a policy from the dataset's rewards and save it.

    Raises:
        NoLearningSignal: the rewards say nothing, before or during the run.
        RewardInvalid: a reward failed, or is no number from -1 to 1.
        EmptyDataset: there is no item with an answer of the agent.
        RunInvalid: the warm-start model does not fit, or a reward is not known.
    """
    started = time.perf_counter()
    # data
    reward = compose(run.config.rewards)
    train_items = read_items(run.dataset / TRAIN_FILE)
    validation_items = read_items(run.dataset / VALIDATION_FILE)
    logged = read_rewarded_items(run.dataset)
    # What the same feedback is worth in closed form: a later version goes on from these sums.
    sums = fit_closed_form(run, train_items, read_negatives(run.dataset))

    # model: the version before, as scores that are linear in its features
    policy = start_policy(run, sums.model)
    places = {name: place for place, name in enumerate(policy.model.answers)}
    answers = read_rewarded(logged, places, reward)
    data = PolicyData.of(policy, answers, select_stated(train_items, logged, places), run.seed)

    # method: off-policy policy gradient
    check_signal(data.learnt, data.stated)
    estimator = choose_estimator(int(data.learnt.has_propensity_N.sum()))
    progress = FitProgress(report)
    change = learn_policy(data.learnt, data.stated, estimator, progress)

    # report, save
    found = report_policy(change, data.learnt, data.held_out, data.stated, estimator)
    model = policy.changed(data.whitening.undo(change))
    save_policy(run, model, sums)
    metrics = {
        **sums.limit.metrics,
        **measure_accuracy(model, validation_items),
        **describe_rewards(answers, len(data.stated)),
        **(found.metrics if found else {}),
        **progress.metrics,
    }
    report({"event": "metrics", "step": progress.steps, "epoch": 1.0, "values": metrics})
    seconds = {"train": time.perf_counter() - started}
    return TrainResult(progress.steps, progress.losses[-1], metrics, seconds)


@dataclass(frozen=True, slots=True)
class PolicyData:
    """What a policy is learnt from, and what is held out to say how good it is."""

    learnt: Rewarded
    held_out: Rewarded
    stated: Stated
    whitening: Whitening

    @classmethod
    def of(
        cls,
        policy: LinearPolicy,
        answers: RewardedAnswers,
        stated: Sequence[TrainingItem],
        seed: int,
    ) -> PolicyData:
        """The items under the policy's encoder.

        An answer whose right one was stated beside it counts by that, and is no log to learn from:
        the reward of every answer is known. It stays among the held-out ones.
        """
        places = {name: place for place, name in enumerate(policy.model.answers)}
        logged_NF = policy.embed([item.input for item in answers.items])
        stated_SF = policy.embed([item.input for item in stated])
        whitening = Whitening.of(torch.cat([logged_NF, stated_SF]))
        rewarded = Rewarded(
            whitening(logged_NF),
            policy.scores(logged_NF),
            answers.answer_N(places),
            answers.reward_N,
            answers.propensity_N,
        )
        held_out_N = answers.held_out_N(seed)
        return cls(
            learnt=rewarded.rows(~held_out_N & ~answers.is_stated_N),
            held_out=rewarded.rows(held_out_N),
            stated=Stated(
                whitening(stated_SF),
                policy.scores(stated_SF),
                torch.tensor([places[item.target] for item in stated], dtype=torch.long),
                torch.tensor([item.weight for item in stated]),
            ),
            whitening=whitening,
        )


@dataclass(slots=True)
class FitProgress:
    """Reports of a fit while it goes on; an evaluation of its objective counts as a step."""

    report: Report
    losses: list[float] = field(default_factory=list)

    def __call__(self, step: int, loss: float) -> None:
        """The objective was evaluated once more."""
        if not self.losses:
            self.report({"event": "started", "total_steps": STEPS, "resumed_from_step": 0})
        self.losses.append(loss)
        if len(self.losses) == 1:
            self.report({"event": "first_step", "at": time.time()})
        values = {names.TRAIN_LOSS: loss}
        self.report({"event": "metrics", "step": step, "epoch": 0.0, "values": values})

    @property
    def steps(self) -> int:
        """Evaluations so far."""
        return len(self.losses)

    @property
    def metrics(self) -> dict[str, float]:
        """Of the whole fit."""
        return {
            names.TRAIN_LOSS: self.losses[-1],
            names.TRAIN_LOSS_BEFORE: self.losses[0],
            names.TRAIN_LOSS_AFTER: self.losses[-1],
            names.CLOSED_FORM: 0.0,
        }


def select_stated(
    items: Sequence[TrainingItem], logged: Sequence[TrainingItem], places: Mapping[str, int]
) -> list[TrainingItem]:
    """Items whose right answer somebody stated; one that was only liked is a logged reward."""
    liked = {item.id for item in logged if not item.target}
    return [item for item in items if item.target in places and item.id not in liked]


def describe_rewards(answers: RewardedAnswers, stated: int) -> dict[str, float]:
    """Figures of what was learnt from."""
    found = {
        names.REWARDED_ITEMS: float(len(answers.items)),
        names.STATED_ITEMS: float(stated),
        names.UNKNOWN_ANSWERS: float(answers.unknown_answers),
        names.WITHOUT_PROPENSITY: float(answers.propensity_N.isnan().sum()),
    }
    if len(answers.items):
        found[names.REWARD_MEAN] = float(answers.reward_N.mean())
        found[names.REWARD_DEVIATION] = float(answers.reward_N.std(correction=0))
    return found


def measure_accuracy(
    model: Classifier | Selector, items: Sequence[TrainingItem]
) -> dict[str, float]:
    """Accuracy on the validation items; nothing where there are none."""
    if not items:
        return {}
    found = model.predict([item.input for item in items], k=1)
    right = sum(item.target == each.output for item, each in zip(items, found, strict=True))
    return {names.VALIDATION_ACCURACY: right / len(items)}


def save_policy(
    run: TrainingRun[EncoderConfig], model: Classifier | Selector, sums: ClosedFormCandidate
) -> None:
    """Write the model, and the sums where they are of its own encoder."""
    run.output_dir.mkdir(parents=True, exist_ok=True)
    if run.warm_start_model is None or load_state(run.warm_start_model) is not None:
        save_state(sums.state, run.output_dir)
    model.save(run.output_dir)  # the card last: its presence means complete
