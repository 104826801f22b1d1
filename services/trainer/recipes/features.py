"""Texts on their way into the trainable layers.

The frozen layers run without gradients, at most once per text: their output is kept while it fits
in memory, so that later epochs and the validation skip them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.data import Sampler

from archon_contracts.inference.encoder import TextEncoder, pad_states

KEEP_BYTES = 512 * 1024 * 1024


@dataclass
class FrozenStates:
    """States [T, H] of numbered texts after the frozen layers."""

    encoder: TextEncoder
    ids: Sequence[Sequence[int]]
    keep_bytes: int = KEEP_BYTES
    _kept: dict[int, Tensor] = field(default_factory=dict)
    _bytes: int = 0

    def of(self, rows: Sequence[int]) -> list[Tensor]:
        """The states of these texts, made where they are not kept."""
        missing = [row for row in dict.fromkeys(rows) if row not in self._kept]
        made = dict(
            zip(missing, self.encoder.lower_states([self.ids[row] for row in missing]), strict=True)
        )
        for row, state in made.items():
            size = state.numel() * state.element_size()
            if self._bytes + size <= self.keep_bytes:
                self._kept[row] = state
                self._bytes += size
        return [self._kept[row] if row in self._kept else made[row] for row in rows]


@dataclass(frozen=True)
class Targets:
    """What each numbered text should give: an index, its share in the loss, rejected indices."""

    indices: Sequence[int]
    weights: Sequence[float]
    rejected: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Collator:
    """Turns row numbers into a batch for the trainable layers."""

    states: FrozenStates
    targets: Targets

    def __call__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """states_BTH, mask_BT, labels_B, weights_B and rejected_BR (-1 where there is none)."""
        states_BTH, mask_BT = pad_states(self.states.of(rows))
        rejected = [torch.tensor(self.targets.rejected[row], dtype=torch.long) for row in rows]
        return {
            "states_BTH": states_BTH,
            "mask_BT": mask_BT,
            "labels_B": torch.tensor([self.targets.indices[row] for row in rows]),
            "weights_B": torch.tensor([self.targets.weights[row] for row in rows]),
            "rejected_BR": torch.nn.utils.rnn.pad_sequence(
                rejected, batch_first=True, padding_value=-1
            ),
        }


class PlannedSampler(Sampler[int]):
    """Row numbers in an order that was drawn beforehand, an epoch's share at a time."""

    def __init__(self, order: Sequence[int], per_epoch: int) -> None:
        self._order = order
        self._per_epoch = per_epoch
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch, also of a resumed run."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        start = self._epoch * self._per_epoch
        return iter(self._order[start : start + self._per_epoch])

    def __len__(self) -> int:
        return self._per_epoch


def weighted_mean(losses_B: Tensor, weights_B: Tensor) -> Tensor:
    """The loss per unit of weight [nats]: normalised by the batch's weights, not its size."""
    return (losses_B * weights_B).sum() / weights_B.sum()
