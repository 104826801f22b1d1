"""The reports of a run while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from opentelemetry import trace
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from archon_contracts import metric_names, telemetry
from services.trainer.errors import TimeLimitReached

Report = Callable[[dict[str, object]], None]
Validate = Callable[[], dict[str, float]]

_METRICS: Final = {
    "loss": metric_names.TRAIN_LOSS,
    "learning_rate": metric_names.TRAIN_LEARNING_RATE,
    "grad_norm": metric_names.TRAIN_GRADIENT_NORM,
}


class ProgressCallback(TrainerCallback):
    """Reports start, first step, metrics and checkpoints, and validates after each epoch."""

    def __init__(self, report: Report, validate: Validate) -> None:
        self.validation: dict[str, float] = {}
        self.validation_seconds = 0.0
        self._report = report
        self._validate = validate
        self._stepped = False
        self._epoch_span: trace.Span | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """The model is in memory; nothing is learnt yet."""
        self._report(
            {
                "event": "started",
                "total_steps": state.max_steps,
                "resumed_from_step": state.global_step,
            }
        )

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """A pass over the items begins."""
        self._epoch_span = trace.get_tracer(__name__).start_span(
            telemetry.SPAN_EPOCH, attributes={telemetry.TRAINING_EPOCH: int(state.epoch or 0)}
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """An optimizer step is done."""
        if not self._stepped:
            self._stepped = True
            self._report({"event": "first_step", "at": time.time()})

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        """The Trainer's figures since its last log."""
        values = {_METRICS[name]: value for name, value in (logs or {}).items() if name in _METRICS}
        if values:
            self._report_metrics(state, values)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """A pass over the items is done."""
        if self._epoch_span is not None:
            self._epoch_span.set_attribute(telemetry.TRAINING_STEP, state.global_step)
            self._epoch_span.end()
        self.validate()
        if self.validation:
            self._report_metrics(state, self.validation)

    def validate(self) -> None:
        """Measure the model as it is."""
        started = time.perf_counter()
        self.validation = self._validate()
        self.validation_seconds += time.perf_counter() - started

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """A checkpoint has its final name."""
        path = f"{args.output_dir}/checkpoint-{state.global_step}"
        self._report({"event": "checkpoint", "step": state.global_step, "path": path})

    def _report_metrics(self, state: TrainerState, values: dict[str, float]) -> None:
        self._report(
            {"event": "metrics", "step": state.global_step, "epoch": state.epoch, "values": values}
        )


class TimeLimit(TrainerCallback):
    """Ends a run whose steps take longer than it may; the time of this process counts."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Raises TimeLimitReached once the time is over, unless the run is done."""
        spent = time.monotonic() - self._began
        if spent > self._seconds and state.global_step < state.max_steps:
            raise TimeLimitReached(
                f"The training took {spent:.0f} s for {state.global_step} of {state.max_steps} "
                f"steps, and maximum_seconds allows {self._seconds:g} s; raise it, or train on "
                "fewer items or epochs"
            )
