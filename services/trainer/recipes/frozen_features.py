"""Texts on their way into the trainable layers.

The frozen layers run without gradients, at most once per text: their output is kept while it fits
in memory, so that later epochs and the validation skip them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.utils.data import Sampler

from archon_inference.encoder import TextEncoder, length_batches, pad_states

# A trainer shares its machine with other slots; what does not fit is computed each time.
MAX_CACHE_BYTES = 512 * 1024 * 1024
GROUP_SIZE = 8


class LengthGroups:
    """Rows in fixed groups of similar length.

    A group is always computed as a whole: sums of floats depend, in their last bit, on what is
    computed beside them, and a resumed run must end with the very weights of one that did not stop.
    """

    def __init__(self, rows: Iterable[int], lengths: Sequence[int]) -> None:
        ordered = sorted(rows)
        groups = length_batches([lengths[row] for row in ordered], GROUP_SIZE)
        self._rows_by_group = [[ordered[place] for place in group] for group in groups]
        self._group_of = {row: n for n, group in enumerate(self._rows_by_group) for row in group}

    def __contains__(self, row: int) -> bool:
        return row in self._group_of

    def groups_containing(self, rows: Iterable[int]) -> list[list[int]]:
        """The groups that these rows are in, each once; rows that are in none are passed over."""
        numbers = dict.fromkeys(self._group_of[row] for row in rows if row in self._group_of)
        return [self._rows_by_group[number] for number in numbers]


class FrozenFeatures:
    """States [T, H] of numbered texts after the frozen layers."""

    def __init__(
        self,
        encoder: TextEncoder,
        ids: Sequence[Sequence[int]],
        max_cache_bytes: int = MAX_CACHE_BYTES,
    ) -> None:
        self.encoder = encoder
        self.ids = ids
        lengths = [len(row) for row in ids]
        # Four bytes a float; rows are kept from the first on until the limit, the same
        # ones in each run.
        ends = accumulate(length * encoder.hidden_size * 4 for length in lengths)
        self._groups = LengthGroups(
            [row for row, end in enumerate(ends) if end <= max_cache_bytes], lengths
        )
        self._cache: dict[int, Tensor] = {}

    def compute(self, rows: Sequence[int]) -> list[Tensor]:
        """The states of these texts, made where they are not kept."""
        missing = [row for row in rows if row not in self._cache]
        for group in self._groups.groups_containing(missing):
            self._cache.update(self._compute_rows(group))
        rest = self._compute_rows([row for row in missing if row not in self._groups])
        return [self._cache[row] if row in self._cache else rest[row] for row in rows]

    def _compute_rows(self, rows: Sequence[int]) -> dict[int, Tensor]:
        states = self.encoder.compute_frozen_states([self.ids[row] for row in rows])
        return dict(zip(rows, states, strict=True))


@dataclass(frozen=True)
class ItemTargets:
    """What each numbered text should give: an index, its weight in the loss, rejected indices."""

    indices: Sequence[int]
    weights: Sequence[float]
    rejected: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Collator:
    """Turns row numbers into a batch for the trainable layers."""

    states: FrozenFeatures
    targets: ItemTargets

    def __call__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """states_BTH, mask_BT, labels_B, weights_B, rejected_BR (-1: none) and rows_B.

        The states are on the encoder's device already; the Trainer moves the rest, once.
        """
        states_BTH, mask_BT = pad_states(self.states.compute(rows))
        rejected = [torch.tensor(self.targets.rejected[row], dtype=torch.long) for row in rows]
        return {
            "states_BTH": states_BTH,
            "mask_BT": mask_BT,
            "labels_B": torch.tensor([self.targets.indices[row] for row in rows]),
            "weights_B": torch.tensor([self.targets.weights[row] for row in rows]),
            "rejected_BR": torch.nn.utils.rnn.pad_sequence(
                rejected, batch_first=True, padding_value=-1
            ),
            "rows_B": torch.tensor(list(rows)),
        }


class PlannedSampler(Sampler[int]):
    """Row numbers in an order sampled beforehand, one epoch at a time."""

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
