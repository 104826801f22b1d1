"""Which versions can be deployed, returned to and archived."""

import pytest

from services.gateway.domain import ModelView
from services.gateway.models.rules import (
    find_archive_obstacle,
    find_deploy_obstacle,
    find_rollback_obstacle,
)
from tests.support.gateway.gateway_service import model

DEPLOYED = model("1.1.0", "deployed", was_deployed=True)
BEFORE = model("1.0.0", "ready", was_deployed=True)
READY = model("1.2.0", "ready", was_deployed=False)
ARCHIVED = model("0.9.0", "archived", was_deployed=True)
TWIN = READY.model_copy(update={"digest": DEPLOYED.digest})
PROTECTED = READY.model_copy(update={"protected_reason": "audited"})


@pytest.mark.parametrize(
    ("wanted", "obstacle"),
    [(READY, None), (DEPLOYED, None), (ARCHIVED, "is archived"), (TWIN, "nothing would change")],
)
def test_archived_versions_and_equal_weights_are_not_deployed(
    wanted: ModelView, obstacle: str | None
) -> None:
    found = find_deploy_obstacle(wanted, DEPLOYED)

    assert found is None if obstacle is None else obstacle in (found or "")


@pytest.mark.parametrize(
    ("known", "to_version", "obstacle"),
    [
        ([DEPLOYED, BEFORE], None, None),
        ([DEPLOYED, ARCHIVED], None, "was deployed before 1.1.0"),
        ([DEPLOYED, ARCHIVED], "0.9.0", "is archived"),
        ([DEPLOYED, READY], "1.2.0", None),
        ([BEFORE], None, "no version of agent a is deployed"),
    ],
)
def test_a_rollback_returns_to_no_archived_version(
    known: list[ModelView], to_version: str | None, obstacle: str | None
) -> None:
    found = find_rollback_obstacle(known, "a", to_version)

    assert found is None if obstacle is None else obstacle in (found or "")


@pytest.mark.parametrize(
    ("wanted", "obstacle"),
    [(READY, None), (DEPLOYED, "is deployed"), (PROTECTED, "protected (audited)")],
)
def test_deployed_and_protected_versions_are_not_archived(
    wanted: ModelView, obstacle: str | None
) -> None:
    found = find_archive_obstacle(wanted)

    assert found is None if obstacle is None else obstacle in (found or "")
