"""The head of a closed form: logistic regression on the kept vectors, whitened by their sums.

A discriminant analysis of the sums is right where the labels' clouds are alike; the items
themselves say where they are not. Whitened by the shrunk covariance of the sums, a fixed small
number of L-BFGS steps from zero reaches what plain logistic regression needs hundreds for, and the
outcome is a function of the set of items: neither their order nor the windows they came in matter,
and without an item it is the fit that never had it. Where the vectors of the items are not all
kept, or are too many for the time of an update, the head is that of the discriminant analysis. The
names of the labels are examples too (`label_names.py`).

Source: the generative and the discriminative fit of one linear model, A. Y. Ng and M. I. Jordan,
"On Discriminative vs. Generative Classifiers", NeurIPS 2001; L-BFGS, D. C. Liu and J. Nocedal,
Mathematical Programming 45 (1989).

Shape suffixes: N items, H hidden units, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from services.trainer.closed_form.label_names import name_items
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem, sum_items
from services.trainer.closed_form.statistics import (
    TINY,
    ClassStatistics,
    build_head,
    shrunk_covariance,
)

STEPS: Final = 12
PENALTY: Final = 1e-3
"""Of half the squared weights; like `STEPS` and `LENGTH` chosen on validation rows of CLINC150 and
examples that no benchmark reports, 2 to 40 of a label (decision 74)."""
LENGTH: Final = 4.0
"""Mean length of the whitened vectors, which gives the penalty one meaning at every size."""

MAXIMUM_WORK: Final = 2_100_000
"""Items times what each costs: a step of the fit per label, and its whitening, which is as much as
`WHITENING` times its squared units. 3,000 items of 150 labels take half a second of one core."""
WHITENING: Final = 1e-4


@torch.no_grad()
def fit_head(state: ClosedFormState, labels: Sequence[str]) -> nn.Linear:
    """The fitted head as a layer, one row per label; each label must have an item."""
    items, names = _items_of(state, labels), name_items(state, labels)
    statistics = state.statistics.plus(sum_items(names, state.hidden))
    if items is None:
        return build_head(statistics, labels)
    weight_LH, bias_L = _fit(statistics, [*items, *names], labels)
    head = nn.Linear(weight_LH.shape[1], len(labels))
    head.weight.copy_(weight_LH)
    head.bias.copy_(bias_L)
    return head


def _items_of(state: ClosedFormState, labels: Sequence[str]) -> list[LearntItem] | None:
    """The items of these labels in an order that depends on nothing else; None to do without."""
    wanted = set(labels)
    items = [item for _, item in sorted(state.items.items()) if item.target in wanted]
    if len(labels) < 2 or _work(len(items), len(labels), state.hidden) > MAXIMUM_WORK:
        return None
    kept = dict.fromkeys(labels, 0.0)
    for item in items:
        kept[item.target] += item.weight
    known = dict(zip(state.statistics.labels, state.statistics.weight_L.tolist(), strict=True))
    # Older versions kept sums alone, and the oldest items leave when there are too many.
    complete = all(abs(kept[label] - known[label]) <= 1e-6 * known[label] for label in labels)
    return items if complete else None


def _work(items: int, labels: int, hidden: int) -> float:
    """With few labels nearly all of it is the whitening, which no number of labels bounds."""
    return items * (labels + WHITENING * hidden**2)


def _fit(
    statistics: ClassStatistics, items: Sequence[LearntItem], labels: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Weight [L, H] and bias [L]; every label counts alike, as in the discriminant analysis."""
    places = {label: place for place, label in enumerate(labels)}
    rows_N = torch.tensor([places[item.target] for item in items])
    weight_N = torch.tensor([item.weight for item in items], dtype=torch.float64)
    of_label_L = torch.zeros(len(labels), dtype=torch.float64).index_add(0, rows_N, weight_N)
    balanced_N = (weight_N / of_label_L[rows_N] / len(labels)).float()
    # Double precision until the vectors are white: the covariance is badly conditioned.
    lower_HH = torch.linalg.cholesky(shrunk_covariance(statistics))
    mean_H = statistics.sum_LH.sum(0) / statistics.weight_L.sum().clamp(min=TINY)
    vectors_NH = torch.stack([item.vector_H for item in items]).double()
    white_NH = torch.linalg.solve_triangular(lower_HH, (vectors_NH - mean_H).T, upper=False).T
    scale = LENGTH / white_NH.norm(dim=1).mean().clamp(min=TINY)
    of_white_HL, bias_L = _minimise((white_NH * scale).float(), rows_N, balanced_N, len(labels))
    weight_HL = scale * torch.linalg.solve_triangular(lower_HH.T, of_white_HL.double(), upper=True)
    return weight_HL.T.float(), (bias_L.double() - mean_H @ weight_HL).float()


@torch.enable_grad()
def _minimise(
    white_NH: Tensor, rows_N: Tensor, weight_N: Tensor, labels: int
) -> tuple[Tensor, Tensor]:
    """Weight [H, L] and bias [L] after the fixed number of steps from zero."""
    weight_HL = torch.zeros(white_NH.shape[1], labels, requires_grad=True)
    bias_L = torch.zeros(labels, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_HL, bias_L],
        max_iter=STEPS,
        max_eval=2 * STEPS,
        history_size=STEPS,
        line_search_fn="strong_wolfe",
        # The number of steps alone ends the fit: equal items then give equal heads.
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses_N = cross_entropy(white_NH @ weight_HL + bias_L, rows_N, reduction="none")
        total = (losses_N * weight_N).sum() + PENALTY / 2 * weight_HL.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight_HL.detach(), bias_L.detach()
