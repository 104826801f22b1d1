"""A selector's head in closed form: descriptions, requests, and the balance between tools."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.trainer.closed_form.statistics import ClassStatistics
from services.trainer.closed_form.tool_head import fit_tool_head

UNITS = 12
TOOLS = ("a", "b", "c", "d")


@pytest.fixture
def described() -> Tensor:
    """A vector of length one for each tool."""
    generator = torch.Generator().manual_seed(5)
    return normalize(torch.randn(len(TOOLS), UNITS, generator=generator), dim=1)


def requests(described: Tensor, targets: Sequence[str], seed: int = 0) -> Tensor:
    """Vectors that lie near the opposite of their tool's description: only requests teach them."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.stack([-described[TOOLS.index(target)] for target in targets])
    noise = 0.1 * torch.randn(len(targets), UNITS, generator=generator)
    return normalize(means + noise, dim=1)


def answers(statistics: ClassStatistics, described: Tensor, vectors: Tensor) -> list[str]:
    head = fit_tool_head(statistics, TOOLS, described)
    return [TOOLS[place] for place in head(vectors).argmax(1).tolist()]


def of(vectors: Tensor, targets: Sequence[str]) -> ClassStatistics:
    return ClassStatistics.of(vectors, targets, [1.0] * len(targets))


def test_without_requests_a_tool_is_found_by_its_description(described: Tensor) -> None:
    nothing = of(torch.empty(0, UNITS), ())

    assert answers(nothing, described, described) == list(TOOLS)


def test_requests_teach_what_a_description_does_not_say(described: Tensor) -> None:
    targets = ["a", "b"] * 6
    statistics = of(requests(described, targets), targets)

    assert (
        answers(statistics, described, requests(described, ["a", "b"] * 3, seed=1))
        == [
            "a",
            "b",
        ]
        * 3
    )


def test_a_tool_that_was_never_used_still_answers_its_description(described: Tensor) -> None:
    targets = ["a", "b"] * 6
    statistics = of(requests(described, targets), targets)

    assert answers(statistics, described, described)[2:] == ["c", "d"]


def test_of_two_equally_near_tools_the_unused_one_is_answered(described: Tensor) -> None:
    twins = described.clone()
    twins[1] = twins[0]
    statistics = of(twins[:1].repeat(4, 1), ["a"] * 4)

    assert answers(statistics, twins, twins[:1]) == ["b"]


def test_requests_that_are_subtracted_leave_the_head_of_a_fit_without_them(
    described: Tensor,
) -> None:
    targets = ["a", "b", "c"] * 6
    vectors = requests(described, targets)
    kept, gone = slice(0, 12), slice(12, 18)
    subtracted = of(vectors, targets).plus(of(vectors[gone], targets[gone]), sign=-1.0)

    ours = fit_tool_head(subtracted, TOOLS, described)
    without = fit_tool_head(of(vectors[kept], targets[kept]), TOOLS, described)

    torch.testing.assert_close(ours.weight, without.weight, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.bias, without.bias, rtol=0, atol=1e-5)


def test_all_requests_of_a_tool_subtracted_make_it_an_unused_one(described: Tensor) -> None:
    vectors = requests(described, ["a"])
    nothing = of(vectors, ["a"]).plus(of(vectors, ["a"]), sign=-1.0)

    assert answers(nothing, described, described) == list(TOOLS)


def test_a_tool_that_left_the_catalogue_stays_in_the_sums_alone(described: Tensor) -> None:
    targets = ["a", "gone"] * 4
    vectors = requests(described, ["a", "b"] * 4)

    head = fit_tool_head(of(vectors, targets), TOOLS, described)

    assert head.weight.shape == (len(TOOLS), UNITS)
    assert TOOLS[int(head(vectors[:1]).argmax())] == "a"
