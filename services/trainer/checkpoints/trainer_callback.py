"""The state of a run as safetensors and JSON, for any `transformers.Trainer`.

torch is imported here, so only child processes may import this module.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Final

import numpy as np
import torch
from opentelemetry import trace
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, Trainer
from transformers.utils import SAFE_WEIGHTS_NAME

from archon_contracts import telemetry
from services.trainer.checkpoints.store import (
    RUN_FILE,
    STATE_FILE,
    prune_checkpoints,
    stage_checkpoint,
    write_json,
)
from services.trainer.errors import NonFiniteLoss

OPTIMIZER_TENSORS: Final = "optimizer.safetensors"
OPTIMIZER_SETTINGS: Final = "optimizer.json"
SCHEDULER: Final = "scheduler.json"
RANDOM_TENSORS: Final = "random.safetensors"
RANDOM_SETTINGS: Final = "random.json"
# A power cut may tear the newest; the one before is used then.
MAX_CHECKPOINTS = 2


class CheckpointedTrainer(Trainer):
    """A Trainer that stops before a step that is not a number, and keeps no pickle.

    `run_metadata` (settings, seed, library versions) is put into each checkpoint. The place in the
    data is the Trainer's own: step and epoch in its state, and an order that follows from the seed.
    """

    run_metadata: dict[str, object]
    examples = tokens = positions = 0
    """Of the batches that this process has read; a resumed run counts from its checkpoint on."""

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """One forward and backward pass.

        Raises:
            NonFiniteLoss: the optimizer has not seen the gradient.
        """
        mask_BT = inputs.get("mask_BT", inputs.get("attention_mask"))
        if mask_BT is not None:
            self.examples += len(mask_BT)
            self.tokens += int(mask_BT.sum())
            self.positions += mask_BT.numel()
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not torch.isfinite(loss):
            raise NonFiniteLoss(f"The loss of step {self.state.global_step + 1} is {loss.item()}")
        return loss

    def _get_grad_norm(
        self, model: torch.nn.Module, grad_norm: Tensor | float | None = None
    ) -> Tensor | float | None:
        # The last hook of the Trainer before it lets the optimizer take the step.
        norm: Tensor | float | None = super()._get_grad_norm(  # type: ignore[no-untyped-call]
            model, grad_norm=grad_norm
        )
        if norm is not None and not torch.isfinite(torch.as_tensor(norm)):
            raise NonFiniteLoss(f"The gradient of step {self.state.global_step + 1} is {norm}")
        return norm

    def _save_checkpoint(self, model: torch.nn.Module, trial: object) -> None:
        root, step = Path(str(self.args.output_dir)), self.state.global_step
        span = trace.get_tracer(__name__).start_as_current_span(
            telemetry.SPAN_CHECKPOINT, attributes={telemetry.TRAINING_STEP: step}
        )
        with span, stage_checkpoint(root, step) as folder:
            self._save(str(folder))
            self._save_optimizer_and_scheduler(str(folder))
            self._save_rng_state(str(folder))
            self.store_flos()
            self.state.save_to_json(str(folder / STATE_FILE))
            write_json(folder / RUN_FILE, self.run_metadata)
        prune_checkpoints(root, MAX_CHECKPOINTS)

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None
    ) -> None:
        folder, model = str(output_dir or self.args.output_dir), self.model
        if isinstance(model, PeftModel):
            # Embeddings are not trained; to find that out, PEFT would look for the base model.
            model.save_pretrained(folder, save_embedding_layers=False)
        elif isinstance(model, PreTrainedModel):
            model.save_pretrained(folder)
        elif model is not None:
            save_file(state_dict or model.state_dict(), f"{folder}/{SAFE_WEIGHTS_NAME}")

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        # In place of the Trainer's own, which pickles both with torch.save.
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        folder, state = Path(output_dir), self.optimizer.state_dict()
        tensors, scalars = _split_tensors(state["state"])
        save_file(tensors, folder / OPTIMIZER_TENSORS)
        settings = {"scalars": scalars, "param_groups": state["param_groups"]}
        write_json(folder / OPTIMIZER_SETTINGS, settings)
        write_json(folder / SCHEDULER, self.lr_scheduler.state_dict())

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        folder = Path(checkpoint)
        settings = json.loads((folder / OPTIMIZER_SETTINGS).read_bytes())
        state = _join_tensors(load_file(folder / OPTIMIZER_TENSORS), settings["scalars"])
        groups = [_with_tuples(group) for group in settings["param_groups"]]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.lr_scheduler.load_state_dict(json.loads((folder / SCHEDULER).read_bytes()))

    def _save_rng_state(self, output_dir: str) -> None:
        folder = Path(output_dir)
        tensors = {"torch": torch.random.get_rng_state()}
        if torch.cuda.is_available():
            states = torch.cuda.random.get_rng_state_all()
            tensors |= {f"cuda.{number}": state for number, state in enumerate(states)}
        name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
        # Not every torch has unsigned 32-bit tensors; int64 takes the words without loss.
        tensors["numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
        save_file(tensors, folder / RANDOM_TENSORS)
        numpy_state = [name, position, has_gauss, gauss]
        write_json(folder / RANDOM_SETTINGS, {"python": random.getstate(), "numpy": numpy_state})

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        settings = json.loads((folder / RANDOM_SETTINGS).read_bytes())
        tensors = load_file(folder / RANDOM_TENSORS)
        version, words, gauss = settings["python"]
        random.setstate((version, tuple(words), gauss))
        name, *rest = settings["numpy"]
        np.random.set_state((name, tensors["numpy"].numpy().astype(np.uint32), *rest))
        torch.random.set_rng_state(tensors["torch"])
        devices = [tensors[key] for key in sorted(tensors) if key.startswith("cuda.")]
        if devices and torch.cuda.is_available():
            torch.cuda.random.set_rng_state_all(devices)


def _split_tensors(
    state: dict[int, dict[str, object]],
) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Optimizer state by `parameter.name`: tensors, and whatever JSON can hold."""
    flat = {f"{row}.{name}": value for row, part in state.items() for name, value in part.items()}
    tensors = {key: value.contiguous() for key, value in flat.items() if isinstance(value, Tensor)}
    return tensors, {key: value for key, value in flat.items() if key not in tensors}


def _join_tensors(
    tensors: dict[str, Tensor], scalars: dict[str, object]
) -> dict[int, dict[str, object]]:
    state: dict[int, dict[str, object]] = {}
    for key, value in {**tensors, **scalars}.items():
        row, _, name = key.partition(".")
        state.setdefault(int(row), {})[name] = value
    return state


def _with_tuples(group: dict[str, object]) -> dict[str, object]:
    """JSON has no tuples, and AdamW's betas are one."""
    return {
        name: tuple(value) if name == "betas" and isinstance(value, list) else value
        for name, value in group.items()
    }
