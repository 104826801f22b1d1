"""How much lower tools with requests are, chosen by the requests themselves."""

import random

import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.tool_balance import (
    MOST_ASKED,
    WhitenedTools,
    choose_penalty,
    select_asked,
)
from services.trainer.closed_form.tool_head import fit_tool_head

UNITS, COUNT, USED = 24, 60, 30
TOOLS = tuple(f"tool-{number}" for number in range(COUNT))
GENERATOR = torch.Generator().manual_seed(3)
DESCRIBED = normalize(torch.randn(COUNT, UNITS, generator=GENERATOR), dim=1)
COMMON = torch.randn(UNITS, generator=GENERATOR)
"""Requests have something in common that no description has."""


def request(place: int) -> Tensor:
    """A vector near the description of a tool."""
    noise = 0.1 * torch.randn(UNITS, generator=GENERATOR)
    return normalize(DESCRIBED[place] + 0.7 * COMMON + noise, dim=0)


def of_each_used_tool(count: int) -> list[LearntItem]:
    return [
        LearntItem(f"{place}-{number}", TOOLS[place], 1.0, request(place))
        for place in range(USED)
        for number in range(count)
    ]


def penalty_of(items: list[LearntItem]) -> float:
    """Of requests that no covariance whitens, so that what they have in common counts."""
    vectors_NF = torch.stack([item.vector_H for item in items]).double()
    places = torch.tensor([TOOLS.index(item.target) for item in items])
    described = DESCRIBED.double()
    total = (2 * described).index_add(0, places, vectors_NF)
    weight = torch.bincount(places, minlength=COUNT).double()
    white = normalize(total / (2 + weight)[:, None], dim=1)
    tools = WhitenedTools(
        torch.eye(UNITS).double(), white, described, total, 2 + weight, weight, mean_length=1.0
    )
    return choose_penalty(tools, TOOLS, items, distance=1.0)


def test_used_tools_are_lower_where_the_next_request_is_for_an_unused_one() -> None:
    assert penalty_of(of_each_used_tool(1)) > penalty_of(of_each_used_tool(6))


def test_the_order_of_the_requests_does_not_matter() -> None:
    items = of_each_used_tool(2)
    statistics = ClosedFormState.empty(UNITS).learn(items).statistics
    shuffled = random.Random(0).sample(items, len(items))

    one = fit_tool_head(statistics, TOOLS, DESCRIBED, items)
    other = fit_tool_head(statistics, TOOLS, DESCRIBED, shuffled)

    torch.testing.assert_close(one.bias, other.bias)
    torch.testing.assert_close(one.weight, other.weight)


def test_of_many_requests_a_bounded_number_is_asked_and_those_of_other_tools_never() -> None:
    many = [LearntItem(f"text {n}", TOOLS[0], 1.0, request(0)) for n in range(2 * MOST_ASKED)]
    gone = [LearntItem("text", "no tool", 1.0, request(0))]

    asked = select_asked([*gone, *many], TOOLS)

    assert len(asked) == MOST_ASKED
    assert asked == select_asked([*reversed(many), *gone], TOOLS)
