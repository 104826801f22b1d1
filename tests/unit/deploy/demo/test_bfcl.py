import sys

import pytest

from deploy.demo.bfcl import Benchmark, BenchmarkMissingError, family_of, load_benchmark, normalised

SEEDS = [0, 1, 7]


@pytest.fixture(params=SEEDS, scope="module")
def benchmark_split(request: pytest.FixtureRequest) -> Benchmark:
    return load_benchmark(request.param)


def test_the_data_is_read_without_importing_its_package() -> None:
    load_benchmark(0)

    assert "bfcl_eval" not in sys.modules


def test_catalogue_and_requests_have_the_known_size(benchmark_split: Benchmark) -> None:
    split = benchmark_split

    assert len(split.catalogue) == 1096
    assert len(split.initial) + len(split.held_out) + len(split.production) == 1911


def test_no_request_text_is_held_out_and_also_used(benchmark_split: Benchmark) -> None:
    split = benchmark_split

    held_out = {normalised(item.input) for item in split.held_out}
    used = {normalised(item.input) for item in (*split.initial, *split.production)}

    assert not held_out & used


def test_initial_items_are_of_old_families_only(benchmark_split: Benchmark) -> None:
    split = benchmark_split

    assert {item.group for item in split.initial} == {"old"}
    assert {family_of(item.target) for item in split.initial} <= split.old_families
    assert {item.group for item in split.production} == {"old", "new"}


def test_both_groups_are_big_enough_to_distinguish_versions(benchmark_split: Benchmark) -> None:
    groups = [item.group for item in benchmark_split.held_out]

    assert min(groups.count("old"), groups.count("new")) >= 200


def test_every_target_is_in_the_catalogue(benchmark_split: Benchmark) -> None:
    split = benchmark_split
    names = {tool.name for tool in split.catalogue}

    assert {item.target for item in (*split.initial, *split.held_out, *split.production)} <= names


def test_a_seed_gives_the_same_split_again_and_another_seed_another() -> None:
    assert load_benchmark(3) == load_benchmark(3)
    assert load_benchmark(3).old_families != load_benchmark(4).old_families
    assert load_benchmark(3).held_out != load_benchmark(4).held_out


@pytest.mark.parametrize(
    ("tool", "family"),
    [
        ("Movies_3_FindMovies", "movies"),
        ("uber.ride", "uber"),
        ("get_current_weather", "weather"),
        ("requests.get", "requests"),
        ("calculate", "calculate"),
    ],
)
def test_a_tool_belongs_to_its_service_or_to_the_thing_it_deals_with(
    tool: str, family: str
) -> None:
    assert family_of(tool) == family


def test_without_the_package_the_command_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deploy.demo.bfcl.find_spec", lambda name: None)

    with pytest.raises(BenchmarkMissingError, match=r"requirements-no-deps\.lock"):
        load_benchmark(0)
