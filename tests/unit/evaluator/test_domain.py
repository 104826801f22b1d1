"""Who is scored on what, and what a score depends on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.domain import (
    Role,
    build_score_keys,
    choose_control,
    digest_items,
    find_items_file,
    find_new_labels,
    select_roles_to_score,
)
from services.evaluator.errors import EmptySuite, NothingToCompare
from tests.support.registry import artifact
from tests.support.training.evaluator import evaluate

CANDIDATE, ITEMS, DEPLOYED = artifact("candidate"), artifact("items"), artifact("deployed")
roles = st.sets(st.sampled_from(Role))


def test_the_deployed_version_is_the_baseline() -> None:
    assert choose_control(evaluate(CANDIDATE, ITEMS, deployed=DEPLOYED)) is Role.DEPLOYED


def test_the_base_model_is_the_baseline_when_nothing_is_deployed() -> None:
    assert choose_control(evaluate(CANDIDATE, ITEMS)) is Role.BASELINE


def test_a_candidate_without_a_baseline_is_rejected() -> None:
    with pytest.raises(NothingToCompare, match="deployed version or base_model"):
        choose_control(evaluate(CANDIDATE, ITEMS, base_model=None))


def test_a_deployed_version_keeps_its_score_key() -> None:
    then = build_score_keys(evaluate(DEPLOYED, ITEMS), b"card")
    now = build_score_keys(evaluate(CANDIDATE, ITEMS, deployed=DEPLOYED), b"another card")

    assert now[Role.DEPLOYED] == then[Role.CANDIDATE]


def test_a_base_models_key_depends_on_how_the_candidate_uses_it() -> None:
    command = evaluate(CANDIDATE, ITEMS)

    assert (
        build_score_keys(command, b"short")[Role.BASELINE]
        != build_score_keys(command, b"long")[Role.BASELINE]
    )


def test_other_items_have_other_keys() -> None:
    here = build_score_keys(evaluate(CANDIDATE, ITEMS), b"card")
    there = build_score_keys(evaluate(CANDIDATE, artifact("others")), b"card")

    assert not set(here.values()) & set(there.values())


@given(roles, roles)
def test_what_is_unknown_is_scored_and_a_base_only_beside_the_candidate(
    wanted: set[Role], known: set[Role]
) -> None:
    scored = select_roles_to_score(wanted, known)

    assert set(scored) >= wanted - known
    assert len(scored) == len(set(scored))
    assert Role.BASELINE not in scored or Role.CANDIDATE in scored


@pytest.mark.parametrize("name", ["items.jsonl", "test.jsonl"])
def test_items_are_found_in_suites_and_datasets(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('\n{"id": "1"}\n')

    assert find_items_file(tmp_path).name == name


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_a_suite_without_items_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "items.jsonl").write_text(content)

    with pytest.raises(EmptySuite):
        find_items_file(tmp_path)


def test_a_score_depends_on_what_is_asked_beside_the_suite(tmp_path: Path) -> None:
    suite = ITEMS
    (tmp_path / "test.jsonl").write_text("")
    assert find_new_labels(tmp_path) == []
    assert digest_items(suite, []) == suite.digest

    (tmp_path / "test.jsonl").write_text("{}")
    one = digest_items(suite, find_new_labels(tmp_path))
    (tmp_path / "reference.jsonl").write_text("{}")
    two = digest_items(suite, find_new_labels(tmp_path))

    assert len({suite.digest, one, two}) == 3
