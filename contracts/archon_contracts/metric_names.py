"""Names of training and evaluation metrics: `part/figure`, as training writes and readers show.

Telemetry metrics (OpenTelemetry) have their names in `telemetry`.
"""

from __future__ import annotations

from typing import Final

ACCURACY: Final = "accuracy"
"""Proportion of scored items whose first answer is right."""
TOP_K: Final = 5
ACCURACY_AT_5: Final = "accuracy_at_5"
"""Proportion of scored items with the right answer among the five best."""
BALANCED_ACCURACY: Final = "balanced_accuracy"
"""Mean of the recall of all classes: each counts the same, however many items it has."""
RECALL: Final = "recall"
"""Proportion of a class's items that are answered right; `group` names the class."""
LATENCY_SECONDS: Final = "latency_seconds"
"""Median time of a request with one item."""

TRAIN_LOSS: Final = "train/loss"
"""Mean loss per weighted item since the last point; the live loss of a run."""
TRAIN_LOSS_BEFORE: Final = "train/loss_before"
"""Loss of a run's items before it learnt them: of its first steps, or of the version before."""
TRAIN_LOSS_AFTER: Final = "train/loss_after"
"""The same at its end: of its last steps, or of the candidate."""
TRAIN_LEARNING_RATE: Final = "train/learning_rate"
TRAIN_GRADIENT_NORM: Final = "train/grad_norm"

VALIDATION_ACCURACY: Final = f"validation/{ACCURACY}"
VALIDATION_ACCURACY_AT_5: Final = f"validation/{ACCURACY_AT_5}"
VALIDATION_LOSS: Final = "validation/loss"
"""Of a generator: cross-entropy per token of the right answers [nats]."""
VALIDATION_VALID_ANSWERS: Final = "validation/valid_answers"
"""Proportion of a generator's answers that are among those it was shown, where these are few."""

VALIDATION_PREFERENCE: Final = "validation/preference"
"""Proportion of held-out pairs whose better answer training raised more than the worse one."""
VALIDATION_RAW_PREFERENCE: Final = "validation/raw_preference"
"""Proportion of held-out pairs whose better answer is the more probable one."""
VALIDATION_RATED: Final = "validation/rated"
"""Probability that training raised a held-out good answer more than a bad one."""
PAIRS: Final = "data/pairs"
GOOD_ANSWERS: Final = "data/good_answers"
BAD_ANSWERS: Final = "data/bad_answers"
"""What a preference training learnt from: pairs of answers, and answers that were rated."""

INTERPOLATION_FACTOR: Final = "continual/interpolation_factor"
"""How far the weights went from those of the deployed version to those of the run's end, 0 to 1."""

BEST_EPOCH: Final = "train/best_epoch"
"""The epoch whose weights were kept, where it is not the last."""

MAX_LENGTH: Final = "data/max_length"
"""Tokens of a text that the model reads."""
CUT_TEXTS: Final = "data/cut_texts"
"""Proportion of the training texts that are longer, so that their ends were not read."""
TOO_LONG_ITEMS: Final = "data/too_long_items"
"""A generator's items left out because prompt and answer are longer than the limit."""

UNKNOWN_TARGETS: Final = "data/unknown_targets"
"""Items left out because their target is no answer of the agent."""

LEARNT_ITEMS: Final = "update/learnt_items"
"""Items that a fast-path update added to the sums."""
WITHDRAWN_ITEMS: Final = "update/withdrawn_items"
"""Items that it subtracted, because all feedback behind them was retracted."""
NEW_ITEMS_RIGHT_BEFORE: Final = "update/right_before"
NEW_ITEMS_RIGHT_AFTER: Final = "update/right_after"
"""Of a run's new items, those that the version before and the candidate answer right."""
CHANGED_ANSWERS: Final = "update/changed_answers"
"""New items that the candidate answers otherwise than the version before."""

CLOSED_FORM: Final = "train/closed_form"
"""1 where a version learnt its items by adding them to sums, from which they can be subtracted; 0
where it was trained on them."""
CLOSED_FORM_ACCURACY: Final = f"validation/closed_form_{ACCURACY}"
FINE_TUNED_ACCURACY: Final = f"validation/fine_tuned_{ACCURACY}"
"""Of the two candidates of a classifier or selector, on the same validation items."""
CLOSED_FORM_SECONDS: Final = "train/closed_form_seconds"
FINE_TUNED_SECONDS: Final = "train/fine_tuned_seconds"
"""What each of them cost."""
FINE_TUNED_CHOSEN: Final = "train/fine_tuned_chosen"
"""1 where the fine-tuned candidate was taken, 0 where the closed form was."""

SEARCH: Final = "search/"
SEARCH_TRIALS: Final = f"{SEARCH}trials"
SEARCH_PRUNED: Final = f"{SEARCH}pruned"
"""Trainings of a search for hyper-parameters that were finished, and that ended early."""
SEARCH_SECONDS: Final = f"{SEARCH}seconds"
SEARCHED: Final = f"{SEARCH}chosen_"
"""Begins the name of each value that the search chose."""

SEEDS: Final = "seeds/"
SEED_TRAININGS: Final = f"{SEEDS}trainings"
SEED_DEVIATION: Final = f"{SEEDS}deviation"
"""Of the validation accuracy over so many trainings that differ by their seed alone: the standard
deviation, below twice of which a difference is noise."""

REWARD: Final = "reward/"
REWARD_BEFORE: Final = f"{REWARD}before"
REWARD_AFTER: Final = f"{REWARD}after"
"""Mean reward of sampled answers before reinforcement and at its end; of each of its parts with the
part's name behind it."""
REWARD_SPREAD: Final = f"{REWARD}spread"
"""Proportion of a step's prompts whose answers earned unequally: the others teach nothing."""
ANSWER_TOKENS_BEFORE: Final = f"{REWARD}answer_tokens_before"
ANSWER_TOKENS_AFTER: Final = f"{REWARD}answer_tokens_after"
"""Mean length of the sampled answers."""
REPETITION_BEFORE: Final = f"{REWARD}repetition_before"
REPETITION_AFTER: Final = f"{REWARD}repetition_after"
"""Mean proportion of words of a sampled answer that it had before."""
REWARD_SUSPICIONS: Final = f"{REWARD}suspicions"
"""Signs that the reward was gamed; the run's log names them."""
