"""Rules of versions and rollbacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain import (
    Action,
    Deployment,
    SemanticVersion,
    compute_next_version,
    find_rollback_version,
)
from services.registry.errors import InvalidVersion
from tests.support.messaging.messages import NOON

numbers = st.integers(0, 10**8)
versions = st.builds(SemanticVersion, numbers, numbers, numbers)


def history(*changes: str) -> list[Deployment]:
    """`1.0.0` is a deployment of that version, `<1.0.0` a rollback to it."""
    return [
        Deployment(
            revision=number,
            version=change.removeprefix("<"),
            previous_version=None,
            action=Action.ROLLBACK if change.startswith("<") else Action.DEPLOY,
            actor="somebody",
            reason="",
            job_id=None,
            at=NOON,
        )
        for number, change in enumerate(changes, start=1)
    ]


def test_the_first_version_is_one() -> None:
    assert str(compute_next_version(None)) == "1.0.0"


@given(versions)
def test_a_next_version_is_higher_and_has_the_same_major(version: SemanticVersion) -> None:
    following = compute_next_version(version)

    assert following > version
    assert following.major == version.major


@given(versions)
def test_a_version_reads_back_as_it_is_written(version: SemanticVersion) -> None:
    assert SemanticVersion.parse(str(version)) == version


@pytest.mark.parametrize("text", ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.-1.0", "01.0.0", "1.0.x"])
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(InvalidVersion):
        SemanticVersion.parse(text)


def test_ten_comes_after_nine() -> None:
    assert SemanticVersion.parse("1.10.0") > SemanticVersion.parse("1.9.0")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), None),
        (("1.0.0",), None),
        (("1.0.0", "1.1.0"), "1.0.0"),
        (("1.0.0", "1.1.0", "1.2.0"), "1.1.0"),
        (("1.0.0", "1.1.0", "1.2.0", "<1.1.0"), "1.0.0"),
        (("1.0.0", "1.1.0", "1.2.0", "<1.1.0", "<1.0.0"), None),
        (("1.0.0", "1.1.0", "<1.0.0", "1.2.0"), "1.0.0"),
        (("1.0.0", "1.1.0", "1.0.0"), "1.1.0"),
        (("1.1.0", "<1.0.0"), "1.1.0"),
    ],
)
def test_a_rollback_returns_to_the_previously_deployed_version(
    changes: tuple[str, ...], expected: str | None
) -> None:
    assert find_rollback_version(history(*changes)) == expected


@given(st.lists(st.sampled_from(["1.0.0", "1.1.0", "1.2.0", "<1.0.0", "<1.1.0"]), max_size=12))
def test_a_rollback_never_returns_to_the_deployed_version(changes: list[str]) -> None:
    before = find_rollback_version(history(*changes))

    assert before is None or before != history(*changes)[-1].version
