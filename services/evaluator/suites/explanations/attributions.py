"""Integrated gradients: what each token of a text adds to the logit of an answer.

Source: M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017
(arXiv:1703.01365), equation 1, on the embeddings. The baseline is the same text with every token
but the special ones masked. The integral is by Gauss and Legendre's rule, as in Captum's default.
torch is imported here: children and the CLI.

Shape suffixes: S points of the path, T tokens of one text, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor

POINTS: Final = 24

Logit = Callable[[Tensor], Tensor]
"""From embeddings of S texts of T tokens, in rows [S x T, H], to the answer's logit of each [S]."""


def integrate_gradients(
    logit: Logit, embedded_TH: Tensor, baseline_TH: Tensor
) -> tuple[Tensor, float]:
    """What each token adds [T], and the whole difference of the logits that they are to sum to."""
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    # The rule is for -1 to 1, the path for 0 to 1.
    places_S11 = torch.from_numpy((nodes + 1) / 2).float()[:, None, None]
    weights_S11 = torch.from_numpy(weights / 2).float()[:, None, None]
    change_TH = (embedded_TH - baseline_TH).float()
    path_STH = baseline_TH.float() + places_S11 * change_TH
    path_STH.requires_grad_()
    with torch.enable_grad():
        total = logit(path_STH.flatten(0, 1)).sum()
        (gradients_STH,) = torch.autograd.grad(total, path_STH)
    added_T = (change_TH * (gradients_STH * weights_S11).sum(0)).sum(-1)
    with torch.no_grad():
        ends_2 = logit(torch.cat([embedded_TH, baseline_TH]).float())
    return added_T, float(ends_2[0] - ends_2[1])
