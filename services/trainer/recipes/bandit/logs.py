"""The logged answers of a dataset with their rewards, and the part of them that is held out.

Shape suffixes: N logged answers, F features, A answers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from archon_contracts.formats import TrainingItem
from archon_inference.encoding.learnt_vectors import text_digest
from services.trainer.recipes.bandit.rewards import ComposedReward

HELD_OUT_PARTS: Final = 4
"""One input in so many is held out, by a seeded hash of its text."""


@dataclass(frozen=True, slots=True)
class RewardedAnswers:
    """Logged answers that the agent can give, each with its reward."""

    items: Sequence[TrainingItem]
    reward_N: Tensor
    unknown_answers: int
    """Left out, as the agent has no such answer."""
    without_reward: int
    """Left out, as no reward of the run says anything of them."""

    @property
    def propensity_N(self) -> Tensor:
        """Not a number where the feedback does not name it."""
        values = [math.nan if item.propensity is None else item.propensity for item in self.items]
        return torch.tensor(values, dtype=torch.float64)

    def answer_N(self, places: Mapping[str, int]) -> Tensor:
        """The places of the answers."""
        return torch.tensor([places[item.actual] for item in self.items], dtype=torch.long)

    def held_out_N(self, seed: int) -> Tensor:
        """Marks of the held-out part; equal texts are on one side."""
        return torch.tensor(
            [is_held_out(item.input, seed) for item in self.items], dtype=torch.bool
        )

    @property
    def is_stated_N(self) -> Tensor:
        """Marks of those whose right answer somebody stated as well."""
        return torch.tensor([bool(item.target) for item in self.items], dtype=torch.bool)


def read_rewarded(
    items: Sequence[TrainingItem], places: Mapping[str, int], reward: ComposedReward
) -> RewardedAnswers:
    """Those of the items that have an answer of the agent and a reward.

    Raises:
        RewardInvalid: see `ComposedReward`.
    """
    known = [item for item in items if item.actual in places]
    scored = [(item, reward(item)) for item in known]
    kept = [(item, value) for item, value in scored if value is not None]
    return RewardedAnswers(
        items=[item for item, _ in kept],
        reward_N=torch.tensor([value for _, value in kept], dtype=torch.float64),
        unknown_answers=len(items) - len(known),
        without_reward=len(known) - len(kept),
    )


def is_held_out(text: str, seed: int) -> bool:
    """Whether a text is in the held-out part of a run with this seed."""
    digest = hashlib.sha256(f"{seed} {text_digest(text)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_PARTS == 0
