"""What the trainer's child process does: one run, from spec to model folder.

The service imports this module for its names, so torch is imported only inside `run`.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any, Final

from archon_inference.devices import claim_device

# What the fork server imports beforehand, so that a run starts in well under a second.
FORK_SERVER_MODULES: Final = (
    "torch",
    # Both before everything that imports transformers.
    "archon_inference.fork_server.lean_imports",
    "services.trainer.recipes.lean_trainer",
    "transformers.models.bert.modeling_bert",
    "services.trainer.recipes.selector",
    "services.trainer.recipes.classifier",
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

    started = time.perf_counter()
    training = read_run({**spec, "device": claim_device(str(spec.get("device", "cpu")))})
    torch.set_num_threads(training.threads)
    result = find_recipe(spec).train(training, report)
    total = time.perf_counter() - started
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
        # Linux counts in KiB.
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "library_versions": run_metadata(training)["library_versions"],
    }
