"""Why a training ends without a model. Trying again with the same data and settings cannot help.

ArchonError
└── PermanentError
    └── TrainingImpossible
        ├── EmptyDataset     no line of the dataset can be trained on
        ├── DatasetInvalid   a line is not an item; the message names file and line
        ├── RunInvalid       the run's settings contradict each other or the model
        ├── RewardInvalid    a reward failed, or is no number from -1 to 1
        ├── NoLearningSignal no reward makes one answer better than another
        ├── TimeLimitReached its steps take longer than it may
        ├── NoOptimizerSteps the run ended without an optimizer step
        └── NonFiniteLoss    loss or gradient was not a number; no step was taken with it

What a child process reports of itself arrives as `ChildFailed` or `ChildCrashed` (shared.errors).
"""

from __future__ import annotations

from shared.errors import PermanentError


class TrainingImpossible(PermanentError):
    """A recipe cannot give a model."""


class EmptyDataset(TrainingImpossible):
    """No line of the dataset can be trained on."""


class DatasetInvalid(TrainingImpossible):
    """A line is not an item; the message names file and line."""


class RunInvalid(TrainingImpossible):
    """The run's settings contradict each other or the model."""


class RewardInvalid(TrainingImpossible):
    """A reward failed, or is no number from -1 to 1."""


class NoLearningSignal(TrainingImpossible):
    """No reward makes one answer better than another."""


class TimeLimitReached(TrainingImpossible):
    """The run's steps take longer than its `maximum_seconds`."""


class NoOptimizerSteps(TrainingImpossible):
    """The run ended without an optimizer step."""


class NonFiniteLoss(TrainingImpossible):
    """Loss or gradient was not a number; no step was taken with it."""
