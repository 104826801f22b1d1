"""Losses over preferences of whole answers.

All take log-probabilities of answers [B]: `policy` of the model that is trained, `reference` of the
model that it started from. Each gives a loss per row [B].

Shape suffixes: B rows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo_losses(margin_B: Tensor, beta: float) -> Tensor:
    """Direct preference optimisation; `margin_B` is the implicit reward of the chosen answer less
    that of the rejected one, divided by beta.

    Source: Rafailov et al. 2023, equation 7.
    """
    return -logsigmoid(beta * margin_B)


def orpo_losses(chosen_B: Tensor, rejected_B: Tensor, beta: float) -> Tensor:
    """Odds-ratio preference optimisation, without a reference; mean log-probabilities per token.

    The chosen answer is learnt, and its odds are raised over those of the rejected one.
    Source: Hong et al. 2024, equations 4 to 6; beta is their lambda.
    """
    log_odds_B = (chosen_B - rejected_B) - (_log1mexp(chosen_B) - _log1mexp(rejected_B))
    return -chosen_B - beta * logsigmoid(log_odds_B)


def simpo_losses(chosen_B: Tensor, rejected_B: Tensor, beta: float, gamma: float) -> Tensor:
    """Simple preference optimisation, without a reference; mean log-probabilities per token.

    Source: Meng et al. 2024, equation 6.
    """
    return -logsigmoid(beta * (chosen_B - rejected_B) - gamma)


def kto_losses(reward_B: Tensor, baseline: Tensor, is_good_B: Tensor, beta: float) -> Tensor:
    """Kahneman-Tversky optimisation; `reward_B` and `baseline` are log-ratios to the reference.

    The baseline estimates the divergence from the reference, from answers to other inputs.
    Source: Ethayarajh et al. 2024, equation 8; the weights of both classes are the caller's.
    """
    sign_B = torch.where(is_good_B, 1.0, -1.0)
    return 1 - torch.sigmoid(beta * sign_B * (reward_B - baseline))


def kto_baseline(mismatched_B: Tensor) -> Tensor:
    """The estimate of the divergence, never below zero; not differentiated."""
    return mismatched_B.detach().mean().clamp(min=0)


def _log1mexp(log_probability_B: Tensor) -> Tensor:
    """log(1 - p) of log p, where p may be rounded to 1."""
    return torch.log(-torch.expm1(log_probability_B.clamp(max=-1e-6)))
