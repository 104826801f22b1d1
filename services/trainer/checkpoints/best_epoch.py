"""The weights of a run's best epoch, kept beside its checkpoints, and the end of a run that became
worse.

torch is imported here, so only child processes may import this module.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

BEST_FILE: Final = "best.json"

Score = Callable[[], float | None]


@dataclass(frozen=True, slots=True)
class BestWeights:
    """The best epoch so far. Of equally good ones the later: it has learnt more of the items."""

    score: float
    step: int
    epoch: int


class BestEpoch(TrainerCallback):
    """Keeps the trainable weights of the best epoch and stops a run that has become worse.

    What is kept lies on disk, so that a resumed run ends with the weights of one that never died.
    Register it after the callback that validates: `score` gives that figure, None without items;
    `validate` measures it anew.

    Not by `load_best_model_at_end` and `EarlyStoppingCallback`: those compare whole checkpoints,
    which would have to lie at the ends of epochs in place of every few steps, and count an epoch
    that is as good as the best as a worse one.
    """

    def __init__(
        self,
        root: Path,
        score: Score,
        maximum_worse_epochs: int,
        validate: Callable[[], object],
    ) -> None:
        self._root = root
        self._validate = validate
        self._score = score
        self._maximum_worse_epochs = maximum_worse_epochs
        self._best: BestWeights | None = None
        self._is_over = False

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **_: object,
    ) -> None:
        """Go on from what an earlier process of this run kept."""
        self._best = self._read(state.global_step)
        # A checkpoint is written before its epoch ends. A process that died between the two left
        # an epoch that was not compared, and the resumed run begins with the next one.
        is_whole = state.global_step > 0 and float(state.epoch or 0).is_integer()
        is_best = self._best is not None and self._best.step == state.global_step
        if is_whole and not is_best:
            # It disturbs no random number: the Trainer loads their state after this.
            self._validate()
            self.on_epoch_end(args, state, control, model=model)
            # The Trainer takes a step before it looks whether to stop: that one does not count.
            self._is_over = control.should_training_stop

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **_: object,
    ) -> None:
        """Compare the epoch with the best one, and stop when that lies too far back."""
        if self._is_over or model is None or (score := self._score()) is None:
            return
        best, epoch = self._best, round(state.epoch or 0)
        if best is None or score >= best.score:
            self._best = BestWeights(score, state.global_step, epoch)
            self._keep(model, is_last=state.global_step >= state.max_steps)
        # Only epochs below the best count: a generator's first ones are all at zero, and a stop
        # there would end the run before it learnt anything.
        elif epoch - best.epoch >= self._maximum_worse_epochs:
            control.should_training_stop = True

    def restore(self, model: nn.Module, last_step: int) -> BestWeights | None:
        """Put the best epoch's weights into the model, where the last epoch is not the best.

        Returns what was put back; None when the model is as it should be.
        """
        if self._best is None or self._best.step >= last_step:
            return None
        kept = load_file(self._tensors(self._best.step))
        with torch.no_grad():
            for name, parameter in _trainable(model).items():
                parameter.copy_(kept[name])
        return self._best

    def _keep(self, model: nn.Module, *, is_last: bool) -> None:
        assert self._best is not None
        self._root.mkdir(parents=True, exist_ok=True)
        path = self._tensors(self._best.step)
        if not is_last:  # the last epoch's weights are the model's own
            staged = path.with_suffix(".partial")
            tensors = {n: p.detach().cpu().contiguous() for n, p in _trainable(model).items()}
            save_file(tensors, staged)
            staged.replace(path)
        # After the weights: what the file names is there.
        (self._root / BEST_FILE).write_text(json.dumps(asdict(self._best)))
        for older in self._root.glob("best-*.safetensors"):
            if older != path:
                older.unlink()

    def _read(self, step: int) -> BestWeights | None:
        """What was kept, unless this life begins before it: it will come to that epoch again."""
        try:
            best = BestWeights(**json.loads((self._root / BEST_FILE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        usable = best.step == step or self._tensors(best.step).is_file()
        return best if 0 < best.step <= step and usable else None

    def _tensors(self, step: int) -> Path:
        return self._root / f"best-{step}.safetensors"


def _trainable(model: nn.Module) -> dict[str, Tensor]:
    """The frozen weights need not be kept: they are what they were."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
