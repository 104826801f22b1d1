"""Released messages stay readable both ways, and the check that says so can see."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from contract_tools.compatibility import incompatibilities
from contract_tools.documents import PACKAGE, RELEASED

RELEASES = sorted(RELEASED.glob("v*/*.json"))

JOB: dict[str, Any] = {
    "title": "Job",
    "type": "object",
    "properties": {
        "job_id": {"type": "string"},
        "state": {"$ref": "#/$defs/State"},
        "note": {"type": "string"},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["job_id", "state"],
    "$defs": {"State": {"type": "string", "enum": ["open", "done", "failed"]}},
}
OLD_READERS = "readers of the old version refuse messages of the new one"
NEW_READERS = "readers of the new version refuse messages of the old one"


@pytest.mark.parametrize("released", RELEASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_released_message_is_still_understood_both_ways(released: Path) -> None:
    current = PACKAGE / "schemas" / released.name

    assert current.exists(), f"{released.stem} was released and is gone"
    assert (
        incompatibilities(json.loads(released.read_text()), json.loads(current.read_text())) == []
    )


def test_there_is_a_release_to_compare_with() -> None:
    assert RELEASES


def changed_job() -> dict[str, Any]:
    return deepcopy(JOB)


def test_no_change_is_compatible() -> None:
    assert incompatibilities(JOB, changed_job()) == []


def test_an_added_optional_field_is_compatible() -> None:
    job = changed_job()
    job["properties"]["priority"] = {"type": "integer", "default": 0}

    assert incompatibilities(JOB, job) == []


def test_a_changed_description_is_compatible() -> None:
    job = changed_job()
    job["properties"]["note"]["description"] = "What a person wrote."

    assert incompatibilities(JOB, job) == []


def test_an_added_required_field_is_caught() -> None:
    job = changed_job()
    job["properties"]["owner"] = {"type": "string"}
    job["required"].append("owner")

    assert incompatibilities(JOB, job) == [NEW_READERS]


def test_a_removed_required_field_is_caught() -> None:
    job = changed_job()
    del job["properties"]["job_id"]
    job["required"].remove("job_id")

    assert incompatibilities(JOB, job) == ["field Job.job_id is gone", OLD_READERS]


def test_a_removed_optional_field_is_caught() -> None:
    job = changed_job()
    del job["properties"]["note"]

    assert incompatibilities(JOB, job) == ["field Job.note is gone"]


def test_a_field_that_became_optional_is_caught() -> None:
    job = changed_job()
    job["required"].remove("state")

    assert incompatibilities(JOB, job) == [OLD_READERS]


def test_a_narrowed_enum_is_caught() -> None:
    job = changed_job()
    job["$defs"]["State"]["enum"].remove("failed")

    assert incompatibilities(JOB, job) == [NEW_READERS]


def test_a_widened_enum_is_caught() -> None:
    job = changed_job()
    job["$defs"]["State"]["enum"].append("paused")

    assert incompatibilities(JOB, job) == [OLD_READERS]


def test_a_changed_type_is_caught() -> None:
    job = changed_job()
    job["properties"]["note"] = {"type": "integer"}

    assert incompatibilities(JOB, job) == [NEW_READERS, OLD_READERS]


def test_a_narrowed_range_is_caught() -> None:
    job = changed_job()
    job["properties"]["share"]["maximum"] = 0.5

    assert incompatibilities(JOB, job) == [NEW_READERS]
