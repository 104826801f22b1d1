"""Texts on their way into the trainable layers.

The frozen layers run without gradients, at most once per text: their output is kept while it fits
in memory, so that later epochs and the validation skip them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils.data import Sampler

from archon_inference.encoder import TextEncoder, length_batches, pad_states

KEEP_BYTES = 512 * 1024 * 1024
BLOCK = 8


class Blocks:
    """Rows in fixed groups of similar length.

    A group is always computed as a whole: sums of floats depend, in their last bit, on what is
    computed beside them, and a resumed run must end with the very weights of one that did not stop.
    """

    def __init__(self, rows: Iterable[int], lengths: Sequence[int]) -> None:
        ordered = sorted(rows)
        groups = length_batches([lengths[row] for row in ordered], BLOCK)
        self._groups = [[ordered[place] for place in group] for group in groups]
        self._group_of = {row: n for n, group in enumerate(self._groups) for row in group}

    def __contains__(self, row: int) -> bool:
        return row in self._group_of

    def around(self, rows: Iterable[int]) -> list[list[int]]:
        """The groups that these rows are in, each once; rows that are in none are passed over."""
        numbers = dict.fromkeys(self._group_of[row] for row in rows if row in self._group_of)
        return [self._groups[number] for number in numbers]


class FrozenStates:
    """States [T, H] of numbered texts after the frozen layers."""

    def __init__(
        self, encoder: TextEncoder, ids: Sequence[Sequence[int]], keep_bytes: int = KEEP_BYTES
    ) -> None:
        self.encoder = encoder
        self.ids = ids
        lengths = [len(row) for row in ids]
        ends = accumulate(length * encoder.hidden_size * 4 for length in lengths)
        self._blocks = Blocks([row for row, end in enumerate(ends) if end <= keep_bytes], lengths)
        self._kept: dict[int, Tensor] = {}

    def of(self, rows: Sequence[int]) -> list[Tensor]:
        """The states of these texts, made where they are not kept."""
        missing = [row for row in rows if row not in self._kept]
        for group in self._blocks.around(missing):
            self._kept.update(self._made(group))
        rest = self._made([row for row in missing if row not in self._blocks])
        return [self._kept[row] if row in self._kept else rest[row] for row in rows]

    def _made(self, rows: Sequence[int]) -> dict[int, Tensor]:
        states = self.encoder.lower_states([self.ids[row] for row in rows])
        return dict(zip(rows, states, strict=True))


class Anchors:
    """Where a model stood before training, for the numbered texts that should not move: [H] each.

    They are made when they are first asked for, so that the first step does not wait for them.
    """

    def __init__(self, states: FrozenStates, rows: Iterable[int]) -> None:
        self._states = states
        self._upper = copy.deepcopy(states.encoder.upper).requires_grad_(False).train(False)
        self._blocks = Blocks(rows, [len(row) for row in states.ids])
        self._kept: dict[int, Tensor] = {}

    @torch.no_grad()
    def of(self, rows: Sequence[int]) -> Tensor:
        """Unit vectors [B, H]; zeros where a text may move."""
        for group in self._blocks.around(row for row in rows if row not in self._kept):
            vectors_BH = self._upper(*pad_states(self._states.of(group)))
            self._kept.update(zip(group, normalize(vectors_BH, dim=-1), strict=True))
        free_H = torch.zeros(self._states.encoder.hidden_size)
        return torch.stack([self._kept.get(row, free_H) for row in rows])


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
    anchors: Anchors

    def __call__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """states_BTH, mask_BT, labels_B, weights_B, anchors_BH and rejected_BR (-1: none)."""
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
            "anchors_BH": self.anchors.of(rows),
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


def drift(vectors_BH: Tensor, anchors_BH: Tensor) -> Tensor:
    """How far unit vectors went from their anchors [B]: one minus the cosine, 0 without one."""
    anchored_B = anchors_BH.square().sum(-1)
    return anchored_B - (vectors_BH * anchors_BH).sum(-1)


def weighted_mean(losses_B: Tensor, weights_B: Tensor) -> Tensor:
    """The loss per unit of weight [nats]: normalised by the batch's weights, not its size."""
    return (losses_B * weights_B).sum() / weights_B.sum()
