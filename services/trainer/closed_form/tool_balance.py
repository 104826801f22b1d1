"""How much lower a selector scores tools that have requests, found by the requests themselves.

Each request is asked twice of the head: once as if it were not among its tool's requests, and once
as if its tool had none. The first says how often a request for a used tool is answered right, the
second how often one for an unused tool is. The two are weighed by how likely the next request is
for a tool that nobody used: the proportion of requests that are the only one of their tool.

Source: I. J. Good, "The Population Frequencies of Species and the Estimation of Population
Parameters", Biometrika 40 (1953).

Shape suffixes: N requests, C tools of the catalogue, F units of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.trainer.closed_form.learnt_items import LearntItem, is_estimate
from services.trainer.closed_form.statistics import TINY

FEWEST_ASKED: Final = 20
"""With fewer requests their right answers are chance."""
MOST_ASKED: Final = 500
"""A bound on what an update costs; a proportion of as many is known to two points."""
PENALTIES: Final = (0, 0.02, 0.03, 0.045, 0.06, 0.075, 0.09, 0.105, 0.12, 0.15, 0.18, 0.22, 0.26)
"""Those that are compared, of the mean distance between tools; of equally good ones the least."""


@dataclass(frozen=True, slots=True)
class WhitenedTools:
    """What a head is made of, before tools with requests are made lower."""

    lower_FF: Tensor
    """Of the covariance within a tool."""
    white_CF: Tensor
    """Means, whitened and of length one."""
    described_CF: Tensor
    total_CF: Tensor
    """Sum of a tool's requests and its description."""
    share_C: Tensor
    """What `total_CF` is a sum of: the weight of the requests and that of the description."""
    weight_C: Tensor
    """Of the requests."""
    mean_length: float

    def whiten(self, vectors_NF: Tensor) -> Tensor:
        """As the head reads them."""
        white_FN: Tensor = torch.linalg.solve_triangular(self.lower_FF, vectors_NF.T, upper=False)
        return white_FN.T


def select_asked(items: Sequence[LearntItem], tools: Sequence[str]) -> list[LearntItem]:
    """Stated requests for these tools; of many the same ones in whatever order they came."""
    names = frozenset(tools)
    known = [item for item in items if item.target in names and not is_estimate(item)]
    return sorted(known, key=lambda item: item.key)[:MOST_ASKED]


def choose_penalty(
    tools: WhitenedTools, names: Sequence[str], asked: Sequence[LearntItem], distance: float
) -> float:
    """How much lower, in cosine, a tool with requests is; `distance` is the mean between tools."""
    places = {name: place for place, name in enumerate(names)}
    place_N = torch.tensor([places[item.target] for item in asked])
    weight_N = torch.tensor([item.weight for item in asked], dtype=torch.float64)
    vector_NF = torch.stack([item.vector_H for item in asked]).double()
    white_NF = tools.whiten(vector_NF) / tools.mean_length
    other_NC = white_NF @ tools.white_CF.T
    other_NC[torch.arange(len(asked)), place_N] = -torch.inf
    left_N = tools.weight_C[place_N] - weight_N
    without_NF = tools.total_CF[place_N] - weight_N[:, None] * vector_NF
    without_NF /= (tools.share_C[place_N] - weight_N)[:, None]
    own_N = (white_NF * normalize(tools.whiten(without_NF), dim=1)).sum(1)
    described_NF = normalize(tools.whiten(tools.described_CF[place_N]), dim=1)
    described_N = (white_NF * described_NF).sum(1)
    alone_N = left_N <= TINY
    unseen = float(alone_N.double().mean())
    used_C, left_N = tools.weight_C.clamp(max=1.0), left_N.clamp(0.0, 1.0)

    def right(penalty: float) -> float:
        best_N = (other_NC - penalty * used_C).max(1).values
        for_used_N = (own_N - penalty * left_N > best_N)[~alone_N]
        used = float(for_used_N.double().mean()) if len(for_used_N) else 0.0
        unused = float((described_N > best_N).double().mean())
        return (1.0 - unseen) * used + unseen * unused

    return max((distance * each for each in PENALTIES), key=right)
