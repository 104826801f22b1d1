"""Which layers of a model a run trains, how fast, and from when on.

Layers are numbered from the input up. Parameters outside of the layers, such as a head, are above
the highest one.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from archon_contracts.values import TransferLayers
from archon_inference.encoder import UpperLayers
from services.trainer.errors import RunInvalid
from services.trainer.recipes.run import RunConfig, TrainingRun

UNFREEZING: Final = 0.5
"""Proportion of a run's steps after which gradual unfreezing has reached the lowest layer."""
LORA_RANK: Final = 16
_NUMBER: Final = re.compile(r"\.(?:layer|layers|h|blocks)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """`top` is the number of layers; each layer learns `decay` times as fast as the one above.

    Sources: J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text
    Classification", ACL 2018, sections 3.2 (discriminative rates) and 3.3 (gradual unfreezing).
    """

    top: int
    lowest: int
    decay: float
    is_gradual: bool

    def group_parameters(self, model: nn.Module, rate: float) -> list[dict[str, Any]]:
        """The parameters by their rate, in an order that depends on the model alone."""
        groups = defaultdict[int, list[nn.Parameter]](list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups[self.depth(name)].append(parameter)
        return [
            {"params": groups[depth], "lr": rate * self.decay ** (self.top - depth)}
            for depth in sorted(groups)
        ]

    def depth(self, name: str) -> int:
        """The layer of a parameter; `top` for one outside of the layers."""
        found = _NUMBER.search(f".{name}")
        return int(found.group(1)) if found else self.top

    def lowest_trained(self, step: int, steps: int) -> int:
        """The lowest layer that learns in this step: the highest one first, then one by one."""
        if not self.is_gradual:
            return self.lowest
        count = self.top - self.lowest
        open_ones = 1 + math.floor(step / max(1.0, UNFREEZING * steps) * (count - 1))
        return self.top - min(count, open_ones)


class GradualUnfreezing(TrainerCallback):
    """Lets a layer learn from its step on. It follows from the step alone, so a resume is exact."""

    def __init__(self, plan: LayerPlan) -> None:
        self._plan = plan

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        optimizer: Any = None,
        **_: object,
    ) -> None:
        """Before the forward pass."""
        lowest = self._plan.lowest_trained(state.global_step, state.max_steps)
        assert model is not None
        for name, parameter in _trained(model, optimizer):
            parameter.requires_grad_(self._plan.depth(name) >= lowest)


def _trained(model: nn.Module, optimizer: Any) -> Iterator[tuple[str, nn.Parameter]]:
    """What the optimizer has: the base of an adapter stays frozen whatever the step."""
    known = {id(each) for group in optimizer.param_groups for each in group["params"]}
    return ((name, each) for name, each in model.named_parameters() if id(each) in known)


def build_layer_plan(run: TrainingRun[RunConfig], model: nn.Module) -> LayerPlan | None:
    """What the run asks for; None: all parameters learn alike, from the first step on.

    Raises:
        RunInvalid: there is no layer above the frozen ones.
    """
    if run.config.transfer_layers is None and run.config.layer_decay == 1.0:
        return None
    names = [name for name, each in model.named_parameters() if each.requires_grad]
    numbers = {int(found.group(1)) for name in names if (found := _NUMBER.search(f".{name}"))}
    if not numbers:
        raise RunInvalid(
            "The model has no numbered layers that layer_decay or transfer_layers could distinguish"
        )
    gradual = run.config.transfer_layers is TransferLayers.GRADUAL
    return LayerPlan(max(numbers) + 1, min(numbers), run.config.layer_decay, gradual)


@contextmanager
def low_rank_updates(run: TrainingRun[RunConfig], upper: UpperLayers) -> Iterator[None]:
    """Train low-rank updates of an encoder's layers meanwhile, and add them to the weights then.

    An encoder is small, so that its version is its whole weights. Source: E. Hu et al., "LoRA:
    Low-Rank Adaptation of Large Language Models", ICLR 2022.
    """
    if run.config.transfer_layers is not TransferLayers.LORA:
        yield
        return
    # Imported where it is asked for: other runs do without its memory.
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=LORA_RANK, lora_alpha=2 * LORA_RANK, target_modules="all-linear")
    adapted = get_peft_model(upper.shell, settings)
    # It answers as the model inside of it.
    upper.register_module("shell", adapted)
    try:
        yield
    finally:
        upper.register_module("shell", adapted.merge_and_unload())
