from pathlib import Path

import torch
from torch import nn
from transformers import TrainerControl, TrainerState, TrainingArguments

from services.trainer.checkpoints.best_epoch import BestEpoch

LIMIT = 2


class Epochs:
    """A run whose weight is its epoch's number, with the validation figures given to it."""

    def __init__(self, root: Path, figures: list[float | None]) -> None:
        self.model = nn.Linear(1, 1)
        self.control = TrainerControl()
        self.done = 0
        self._figures = figures
        self._arguments = TrainingArguments(output_dir=str(root), use_cpu=True)
        self.validated = 0
        self.best = BestEpoch(root, lambda: self._figures[self.done - 1], LIMIT, self._validate)

    def _validate(self) -> None:
        self.validated += 1

    def run(self, after: int = 0, until: int | None = None) -> "Epochs":
        """Go from one epoch to another, of a step each, unless the callback stops it."""
        self.done = after
        state = TrainerState(max_steps=len(self._figures), global_step=after, epoch=float(after))
        with torch.no_grad():
            self.model.weight.fill_(after)
        self.best.on_train_begin(self._arguments, state, self.control, model=self.model)
        for epoch in range(after + 1, (until or len(self._figures)) + 1):
            self.done = state.global_step = epoch
            state.epoch = float(epoch)
            with torch.no_grad():
                self.model.weight.fill_(epoch)
            self.best.on_epoch_end(self._arguments, state, self.control, model=self.model)
            if self.control.should_training_stop:
                break
        return self

    def restored(self) -> float:
        """The weight that the run ends with."""
        self.best.restore(self.model, self.done)
        return self.model.weight.item()


def test_the_best_epoch_is_kept_not_the_last(tmp_path: Path) -> None:
    assert Epochs(tmp_path, [0.5, 0.9, 0.8]).run().restored() == 2


def test_of_equally_good_epochs_the_later_is_kept(tmp_path: Path) -> None:
    assert Epochs(tmp_path, [0.5, 0.9, 0.9]).run().restored() == 3


def test_a_run_that_became_worse_ends_early(tmp_path: Path) -> None:
    epochs = Epochs(tmp_path, [0.9, 0.8, 0.7, 0.6, 0.5]).run()

    assert (epochs.done, epochs.restored()) == (1 + LIMIT, 1)


def test_a_run_that_has_not_begun_to_learn_goes_on(tmp_path: Path) -> None:
    assert Epochs(tmp_path, [0.0, 0.0, 0.0, 0.0, 0.4]).run().restored() == 5


def test_a_run_without_validation_items_keeps_its_last_epoch(tmp_path: Path) -> None:
    assert Epochs(tmp_path, [None, None, None]).run().restored() == 3


def test_a_resumed_run_ends_with_the_best_epoch_of_the_process_that_died(tmp_path: Path) -> None:
    figures: list[float | None] = [0.9, 0.8, 0.7]
    Epochs(tmp_path, figures).run(until=2)

    assert Epochs(tmp_path, figures).run(after=2).restored() == 1


def test_what_lies_after_the_point_of_resuming_is_measured_again(tmp_path: Path) -> None:
    Epochs(tmp_path, [0.1, 0.9, 0.8]).run(until=2)

    assert Epochs(tmp_path, [0.1, 0.2, 0.8]).run(after=1).restored() == 3


def test_an_epoch_whose_end_a_killed_process_did_not_reach_is_compared(tmp_path: Path) -> None:
    figures: list[float | None] = [0.5, 0.9, 0.8]
    Epochs(tmp_path, figures).run(until=1)

    resumed = Epochs(tmp_path, figures).run(after=2)

    assert (resumed.validated, resumed.restored()) == (1, 2)


def test_a_run_that_was_killed_after_its_last_step_ends_with_its_best_epoch(tmp_path: Path) -> None:
    figures: list[float | None] = [0.5, 0.9, 0.8]
    Epochs(tmp_path, figures).run(until=2)

    assert Epochs(tmp_path, figures).run(after=3).restored() == 2


def test_the_best_epoch_itself_is_not_measured_again(tmp_path: Path) -> None:
    figures: list[float | None] = [0.5, 0.9, 0.8]
    Epochs(tmp_path, figures).run(until=2)

    assert Epochs(tmp_path, figures).run(after=2).validated == 0


def test_a_run_that_was_killed_at_its_early_end_learns_no_more(tmp_path: Path) -> None:
    figures: list[float | None] = [0.9, 0.8, 0.7, 0.95]
    Epochs(tmp_path, figures).run(until=2)

    assert Epochs(tmp_path, figures).run(after=3).restored() == 1
