"""Who is scored on what, and what a score depends on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.domain import (
    Role,
    items_file,
    reference_of,
    roles_to_score,
    score_keys,
)
from services.evaluator.errors import EmptySuite, NothingToCompare
from tests.support.registry import artifact
from tests.support.training.evaluator import evaluate

CANDIDATE, ITEMS, LIVE = artifact("candidate"), artifact("items"), artifact("live")
roles = st.sets(st.sampled_from(Role))


def test_the_live_version_is_the_measure() -> None:
    assert reference_of(evaluate(CANDIDATE, ITEMS, live=LIVE)) is Role.LIVE


def test_the_base_model_is_the_measure_when_nothing_is_live() -> None:
    assert reference_of(evaluate(CANDIDATE, ITEMS)) is Role.BASE


def test_a_candidate_alone_cannot_be_judged() -> None:
    with pytest.raises(NothingToCompare, match="live version or base_model"):
        reference_of(evaluate(CANDIDATE, ITEMS, base_model=None))


def test_a_live_version_has_the_key_that_it_had_as_a_candidate() -> None:
    then = score_keys(evaluate(LIVE, ITEMS), b"card")
    now = score_keys(evaluate(CANDIDATE, ITEMS, live=LIVE), b"another card")

    assert now[Role.LIVE] == then[Role.CANDIDATE]


def test_a_base_models_key_depends_on_how_the_candidate_uses_it() -> None:
    order = evaluate(CANDIDATE, ITEMS)

    assert score_keys(order, b"short")[Role.BASE] != score_keys(order, b"long")[Role.BASE]


def test_other_items_have_other_keys() -> None:
    here = score_keys(evaluate(CANDIDATE, ITEMS), b"card")
    there = score_keys(evaluate(CANDIDATE, artifact("others")), b"card")

    assert not set(here.values()) & set(there.values())


@given(roles, roles)
def test_what_is_unknown_is_scored_and_a_base_only_beside_the_candidate(
    wanted: set[Role], known: set[Role]
) -> None:
    scored = roles_to_score(wanted, known)

    assert set(scored) >= wanted - known
    assert len(scored) == len(set(scored))
    assert Role.BASE not in scored or Role.CANDIDATE in scored


@pytest.mark.parametrize("name", ["items.jsonl", "test.jsonl"])
def test_items_are_found_in_suites_and_datasets(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('\n{"id": "1"}\n')

    assert items_file(tmp_path).name == name


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_a_suite_without_items_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "items.jsonl").write_text(content)

    with pytest.raises(EmptySuite):
        items_file(tmp_path)
