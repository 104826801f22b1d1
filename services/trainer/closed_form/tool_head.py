"""The head of a selector in closed form: each tool by its description and its requests.

A tool's mean is that of its requests, with its description as if it were `DESCRIPTION_WEIGHT`
requests more, so that a tool that was never used is found as well as by its description. Requests
and means are compared by their cosine after whitening by the covariance within a tool. Tools with
requests would take those meant for tools without: their score is lower by a constant, which the
requests themselves choose. All of it is a function of sums and items, so nothing depends on order
and windows, and an item that is subtracted leaves no trace.

Sources: S. Moon et al., "Efficient and Scalable Estimation of Tool Representations in Vector
Space", 2024 (Tool2Vec: the mean of a tool's requests); W.-L. Chao, S. Changpinyo, B. Gong and F.
Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for Object Recognition in
the Wild", ECCV 2016 (calibrated stacking: a constant less for classes that were seen).

Shape suffixes: C tools of the catalogue, K tools with requests, F units of the features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from services.trainer.closed_form.learnt_items import LearntItem
from services.trainer.closed_form.statistics import TINY, ClassStatistics
from services.trainer.closed_form.tool_balance import (
    FEWEST_ASKED,
    WhitenedTools,
    choose_penalty,
    select_asked,
)

DESCRIPTION_WEIGHT: Final = 2.0
"""Requests that a description counts for. This and what follows was chosen on splits of BFCL's
requests that no benchmark reports (decision 92)."""
SHRINKAGE: Final = 0.6
"""Proportion of the sphere in the covariance: a tool has few requests, often one."""
USED_PENALTY: Final = 0.09
"""How much lower a tool with requests is, of the mean distance between tools (one minus cosine),
where `CROWDED` of all tools have some. With fewer, fewer requests are taken from the others. Both
only where too few requests are known one by one to choose it by them."""
CROWDED: Final = 1 / 3
SCALE: Final = 40.0
"""Multiplies the cosines before the softmax."""


@torch.no_grad()
def fit_tool_head(
    statistics: ClassStatistics,
    tools: Sequence[str],
    described_CF: Tensor,
    items: Sequence[LearntItem] = (),
) -> nn.Linear:
    """The fitted head as a layer, one row per tool, used or not.

    Where enough of the `items` in the sums are known one by one, they say how much lower a tool
    with requests is.
    """
    described_CF = described_CF.cpu().double()
    weight_C, sum_CF = _rows_of(statistics, tools)
    total_CF = DESCRIPTION_WEIGHT * described_CF + sum_CF
    mean_CF = total_CF / (DESCRIPTION_WEIGHT + weight_C)[:, None]
    lower_FF = torch.linalg.cholesky(_covariance(statistics, tools, mean_CF))
    white_CF = normalize(torch.linalg.solve_triangular(lower_FF, mean_CF.T, upper=False).T, dim=1)
    weight_CF = torch.linalg.solve_triangular(lower_FF.T, white_CF.T, upper=True).T
    length = _mean_length(statistics, lower_FF, described_CF)
    # An estimate of a rated answer is a part of a request.
    used_C = weight_C.clamp(max=1.0)
    # Of all pairs: the squared length of the mean is the mean of the cosines.
    distance = 1.0 - float(white_CF.mean(0).square().sum())
    asked = select_asked(items, tools)
    if len(asked) < FEWEST_ASKED:
        penalty = USED_PENALTY * distance * min(1.0, float(used_C.mean()) / CROWDED)
    else:
        share_C = DESCRIPTION_WEIGHT + weight_C
        whitened = WhitenedTools(
            lower_FF, white_CF, described_CF, total_CF, share_C, weight_C, length
        )
        penalty = choose_penalty(whitened, tools, asked, distance)
    head = nn.Linear(weight_CF.shape[1], len(tools))
    head.weight.copy_(SCALE / length * weight_CF)
    head.bias.copy_(-SCALE * penalty * used_C)
    return head


def _rows_of(statistics: ClassStatistics, tools: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Weight [C] and sum [C, F] of the tools; zeros where one has no requests."""
    rows = {name: row for row, name in enumerate(statistics.labels)}
    hidden = statistics.sum_LH.shape[1]
    weight_C = torch.zeros(len(tools), dtype=torch.float64)
    sum_CF = torch.zeros(len(tools), hidden, dtype=torch.float64)
    known = [(place, rows[name]) for place, name in enumerate(tools) if name in rows]
    if known:
        places, found = (torch.tensor(each) for each in zip(*known, strict=True))
        weight_C[places], sum_CF[places] = statistics.weight_L[found], statistics.sum_LH[found]
    return weight_C, sum_CF


def _covariance(statistics: ClassStatistics, tools: Sequence[str], mean_CF: Tensor) -> Tensor:
    """Within a tool [F, F], around its mean with the description, and never singular."""
    total = float(statistics.weight_L.sum())
    hidden = mean_CF.shape[1]
    if total <= TINY:
        return torch.eye(hidden, dtype=torch.float64)
    # A tool that left the catalogue has no description: its requests alone are its mean.
    mean_KF = statistics.sum_LH / statistics.weight_L.clamp(min=TINY)[:, None]
    places = {name: place for place, name in enumerate(tools)}
    for row, name in enumerate(statistics.labels):
        if name in places:
            mean_KF[row] = mean_CF[places[name]]
    cross_FF = statistics.sum_LH.T @ mean_KF
    scatter_FF = statistics.outer_HH - cross_FF - cross_FF.T
    scatter_FF = (scatter_FF + mean_KF.T @ (mean_KF * statistics.weight_L[:, None])) / total
    spread = float(scatter_FF.diagonal().mean())
    if spread <= TINY:
        return torch.eye(hidden, dtype=torch.float64)
    sphere_FF = spread * torch.eye(hidden, dtype=torch.float64)
    return (1.0 - SHRINKAGE) * scatter_FF + SHRINKAGE * sphere_FF


def _mean_length(statistics: ClassStatistics, lower_FF: Tensor, described_CF: Tensor) -> float:
    """Of the whitened requests, the root of the mean square; without them, of descriptions."""
    total = float(statistics.weight_L.sum())
    outer_FF = statistics.outer_HH
    if total <= TINY:
        outer_FF, total = described_CF.T @ described_CF, float(len(described_CF))
    half_FF = torch.linalg.solve_triangular(lower_FF, outer_FF, upper=False)
    square = float(torch.linalg.solve_triangular(lower_FF, half_FF.T, upper=False).trace()) / total
    return math.sqrt(max(square, TINY))
