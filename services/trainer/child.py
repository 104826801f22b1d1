"""What the trainer's child process does: one run, from spec to model folder.

The service imports this module for its names, so torch is imported only inside `run`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from archon_contracts.metric_names import PEAK_MEMORY
from archon_contracts.values import TrainingMethod
from archon_inference.devices import claim_device
from services.trainer.errors import RunInvalid
from services.trainer.resources import ResourceMeter, read_rates

if TYPE_CHECKING:
    from services.trainer.recipes.fitting import TrainResult
    from services.trainer.recipes.progress_callback import Report
    from services.trainer.recipes.recipe_table import Recipe
    from services.trainer.recipes.run import TrainingRun

# What the fork server imports beforehand, so that a run starts in well under a second.
FORK_SERVER_MODULES: Final = (
    "torch",
    # Both before everything that imports transformers.
    "archon_inference.fork_server.lean_imports",
    "services.trainer.recipes.lean_trainer",
    "transformers.models.bert.modeling_bert",
    "services.trainer.recipes.candidates",
)

ENTRY: Final = "services.trainer.child:run"
"""Names `run` to the child pool."""


def run(spec: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Do one training run and leave the model in the spec's output folder.

    Raises:
        TrainingImpossible: trying again with the same spec cannot help.
        InferenceError: the base or parent model cannot be loaded.
    """
    import torch

    from services.trainer.recipes.fitting import run_metadata
    from services.trainer.recipes.recipe_table import find_recipe, read_run

    started, meter = time.perf_counter(), ResourceMeter()
    training = read_run({**spec, "device": claim_device(str(spec.get("device", "cpu")))})
    torch.set_num_threads(training.threads)
    result = train_within_memory(find_recipe(spec), training, report)
    total = time.perf_counter() - started
    used = meter.read(training.device, read_rates(spec))
    # A point of its own, too: costs are summed of what trainings report, whatever the gate decides.
    report({"event": "metrics", "step": result.steps, "epoch": None, "values": used})
    result.metrics.update(used)
    return {
        "steps": result.steps,
        "train_loss": result.train_loss,
        "metrics": result.metrics,
        "model_dir": str(training.output_dir),
        "closed_form": None
        if result.closed_form_metrics is None
        else {
            "model_dir": str(training.closed_form_dir),
            "metrics": result.closed_form_metrics,
        },
        "seconds": total,
        "stage_seconds": {**result.seconds, "other": total - sum(result.seconds.values())},
        "peak_memory_mb": used[PEAK_MEMORY],
        "library_versions": run_metadata(training)["library_versions"],
    }


def train_within_memory(recipe: Recipe, run: TrainingRun[Any], report: Report) -> TrainResult:
    """Train; out of memory, go on from the newest checkpoint with batches in twice as many parts.

    Gradients are accumulated over the parts, so that an optimizer step stands for as many items as
    before. A batch of answers that are compared with each other is never parted.

    Raises:
        RunInvalid: a single item does not fit.
    """
    import torch

    while True:
        try:
            return recipe.train(run, report)
        except (torch.OutOfMemoryError, MemoryError) as error:
            parts = 2 * run.config.accumulation
            if parts > run.config.batch_size or run.method is TrainingMethod.REINFORCEMENT:
                size = -(-run.config.batch_size // run.config.accumulation)
                raise RunInvalid(
                    f"{run.device} is out of memory with {size} items at a time: lower max_length "
                    "or batch_size, or give the trainer a device with more memory"
                ) from error
        # Outside of the handler: its traceback would keep what the failed step had allocated.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        config = run.config.model_copy(update={"accumulation": parts})
        run = run.model_copy(update={"config": config})
