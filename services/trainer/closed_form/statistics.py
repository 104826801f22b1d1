"""A classifier head without gradient descent: linear discriminant analysis on frozen vectors.

The statistics of a version are kept beside its weights, so that the next version costs only its new
items, whatever the order in which they came: the head is equal to one fitted to all of them at
once. Items can be taken out again just so (exact unlearning).

Source: T. L. Hayes and C. Kanan, "Lifelong Machine Learning with Deep Streaming Linear Discriminant
Analysis", CVPR Workshops 2020; the shrinkage towards a spherical covariance is that of J. H.
Friedman, "Regularized Discriminant Analysis", JASA 84 (1989).

Shape suffixes: N items, H hidden units, L labels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

STATISTICS_FILE: Final = "statistics.safetensors"

PRIOR_ITEMS: Final = 30.0
"""Items of a label at which the pooled covariance counts as much as the sphere. Chosen on
validation rows of CLINC150 and examples that no benchmark reports (decision 74)."""

TINY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class ClassStatistics:
    """What is known of the vectors of each label, in double precision.

    `weight_L` is the summed weight of a label's items, `sum_LH` their weighted sum, `outer_HH` the
    weighted sum of all items' outer products. Each is a sum over items, which is what makes adding
    and removing items exact up to rounding.
    """

    labels: tuple[str, ...]
    weight_L: Tensor
    sum_LH: Tensor
    outer_HH: Tensor

    @classmethod
    def of(
        cls, vectors_NH: Tensor, targets: Sequence[str], weights: Sequence[float]
    ) -> ClassStatistics:
        """The statistics of these items; labels in alphabetical order."""
        labels = tuple(sorted(set(targets)))
        places = {label: place for place, label in enumerate(labels)}
        rows = torch.tensor([places[target] for target in targets], dtype=torch.long)
        # Double precision: the sums of many versions are added up, and items are
        # subtracted from them.
        x_NH, w_N = vectors_NH.cpu().double(), torch.tensor(weights, dtype=torch.float64)
        weighted_NH = x_NH * w_N[:, None]
        hidden = x_NH.shape[1]
        return cls(
            labels,
            torch.zeros(len(labels), dtype=torch.float64).index_add(0, rows, w_N),
            torch.zeros(len(labels), hidden, dtype=torch.float64).index_add(0, rows, weighted_NH),
            x_NH.T @ weighted_NH,
        )

    def plus(self, other: ClassStatistics, *, sign: float = 1.0) -> ClassStatistics:
        """These items and the other's; with `sign` -1, without the other's."""
        labels = tuple(dict.fromkeys((*self.labels, *other.labels)))
        mine, theirs = self._on(labels), other._on(labels)
        return ClassStatistics(
            labels,
            # Rounding may leave a little below zero where all items of a label were removed.
            (mine.weight_L + sign * theirs.weight_L).clamp(min=0.0),
            mine.sum_LH + sign * theirs.sum_LH,
            mine.outer_HH + sign * theirs.outer_HH,
        )

    def known(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Those of the wanted labels that have an item, in the order wanted."""
        have = {
            label
            for label, weight in zip(self.labels, self.weight_L.tolist(), strict=True)
            if weight > TINY
        }
        return tuple(label for label in wanted if label in have)

    def _on(self, labels: Sequence[str]) -> ClassStatistics:
        """The same statistics with rows for these labels, in this order."""
        places = {label: place for place, label in enumerate(labels)}
        rows = torch.tensor([places[label] for label in self.labels], dtype=torch.long)
        hidden = self.sum_LH.shape[1]
        return ClassStatistics(
            tuple(labels),
            torch.zeros(len(labels), dtype=torch.float64).index_copy(0, rows, self.weight_L),
            torch.zeros(len(labels), hidden, dtype=torch.float64).index_copy(0, rows, self.sum_LH),
            self.outer_HH,
        )


def fit_linear_discriminant(
    statistics: ClassStatistics, labels: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Weight [L, H] and bias [L] of the head over these labels, each of which must have an item.

    All labels are equally likely beforehand: how often feedback names a label says more of what
    went wrong than of what is asked. The covariance is pooled over every label that is known, also
    those that the head leaves out.
    """
    covariance_HH = shrunk_covariance(statistics)
    rows = [statistics.labels.index(label) for label in labels]
    means_LH = _means(statistics)[rows]
    # Solved and not inverted: cheaper, and exact to more digits.
    weight_LH = torch.linalg.solve(covariance_HH, means_LH.T).T
    bias_L = -0.5 * (means_LH * weight_LH).sum(1)
    return weight_LH.float(), bias_L.float()


def shrunk_covariance(statistics: ClassStatistics) -> Tensor:
    """The covariance [H, H] within a label, pooled over all that are known; never singular."""
    means_KH = _means(statistics)
    total = statistics.weight_L.sum().clamp(min=TINY)
    scatter_HH = (
        statistics.outer_HH - means_KH.T @ (means_KH * statistics.weight_L[:, None])
    ) / total
    return _shrink(scatter_HH, statistics)


def _means(statistics: ClassStatistics) -> Tensor:
    return statistics.sum_LH / statistics.weight_L.clamp(min=TINY)[:, None]


@torch.no_grad()
def build_head(statistics: ClassStatistics, labels: Sequence[str]) -> nn.Linear:
    """The fitted head as a layer, one row per label."""
    weight_LH, bias_L = fit_linear_discriminant(statistics, labels)
    head = nn.Linear(weight_LH.shape[1], len(labels))
    head.weight.copy_(weight_LH)
    head.bias.copy_(bias_L)
    return head


def _shrink(scatter_HH: Tensor, statistics: ClassStatistics) -> Tensor:
    """The covariance, shrunk towards a sphere the more, the fewer items a label has.

    The sphere is a prior worth `PRIOR_ITEMS` of each label. With one item of each label nothing is
    known of the spread within a label: the sphere then has the mean square of the vectors, and the
    head is that of the nearest class mean.
    """
    hidden = scatter_HH.shape[0]
    known = max(1, int((statistics.weight_L > TINY).sum()))
    per_label = float(statistics.weight_L.sum()) / known
    shrinkage = PRIOR_ITEMS / (PRIOR_ITEMS + per_label)
    spread = float(scatter_HH.diagonal().mean())
    square = float(
        statistics.outer_HH.diagonal().mean() / statistics.weight_L.sum().clamp(min=TINY)
    )
    # All items of a label are equal, or each has one: what is left of the spread is rounding.
    if spread <= square * 1e-6:
        shrinkage, spread = 1.0, max(square, TINY)
    sphere_HH = spread * torch.eye(hidden, dtype=torch.float64)
    return (1.0 - shrinkage) * scatter_HH + shrinkage * sphere_HH


def save_statistics(statistics: ClassStatistics, folder: Path) -> None:
    """Write the statistics beside a model's weights."""
    tensors = {
        "weight": statistics.weight_L,
        "sum": statistics.sum_LH.contiguous(),
        "outer": statistics.outer_HH.contiguous(),
    }
    metadata = {"labels": json.dumps(statistics.labels)}
    save_file(tensors, folder / STATISTICS_FILE, metadata=metadata)


def load_statistics(folder: Path) -> ClassStatistics | None:
    """The statistics of a model folder; None where it has none that can be read.

    A folder without them is a version of before, or of another recipe: its items are then learnt
    from the replay memory.
    """
    path = folder / STATISTICS_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            labels = tuple(json.loads(file.metadata()["labels"]))
            weight, total, outer = (file.get_tensor(name) for name in ("weight", "sum", "outer"))
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None
    if weight.shape != (len(labels),) or total.shape != (len(labels), outer.shape[0]):
        return None
    return ClassStatistics(labels, weight, total, outer)
