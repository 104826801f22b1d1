"""Commands that archive and protect versions: what is checked, and what leaves."""

import pytest

from archon_contracts.commands import ArchiveModel, ProtectModel, RegisterModel, RetainModels
from services.gateway.auth.request_identity import identify_request
from services.gateway.errors import Conflict, NotFound
from services.gateway.models.commands import ModelCommands
from services.gateway.requests import ImportRequest, ProtectRequest, RetentionRequest
from tests.support.gateway.gateway_service import (
    ACTOR,
    CALLER,
    FIRST,
    ITEMS,
    NEVER_DEPLOYED,
    build_store,
    model,
)
from tests.support.messaging.outbox import RecordingOutbox

IDENTITY = identify_request(CALLER)


async def commands() -> tuple[ModelCommands, RecordingOutbox]:
    archived = model("0.9.0", "archived", was_deployed=False)
    store, outbox = await build_store(models=[FIRST, NEVER_DEPLOYED, archived]), RecordingOutbox()
    return ModelCommands(store, outbox), outbox


async def test_a_version_is_archived_by_its_requester() -> None:
    gateway, outbox = await commands()

    await gateway.archive(None, IDENTITY, "a", "1.1.0", "superseded")

    (command,) = outbox.of(ArchiveModel)
    assert (command.model_version, command.reason) == ("1.1.0", "superseded")
    assert (command.tenant_id, command.requested_by) == ("acme", ACTOR)


@pytest.mark.parametrize(("version", "error"), [("1.0.0", Conflict), ("9.9.9", NotFound)])
async def test_a_deployed_or_unknown_version_is_not_archived(
    version: str, error: type[Exception]
) -> None:
    gateway, outbox = await commands()

    with pytest.raises(error):
        await gateway.archive(None, IDENTITY, "a", version, "superseded")
    assert outbox.events == {}


async def test_a_version_is_protected_unless_it_is_archived() -> None:
    gateway, outbox = await commands()
    request = ProtectRequest(reason="audited")

    await gateway.protect(None, IDENTITY, "a", "1.0.0", request)

    assert [each.protected for each in outbox.of(ProtectModel)] == [True]
    with pytest.raises(Conflict, match="archived already"):
        await gateway.protect(None, IDENTITY, "a", "0.9.0", request)


async def test_retention_is_sent_for_a_known_agent() -> None:
    gateway, outbox = await commands()
    request = RetentionRequest(keep_newest=3, reason="tidy")

    await gateway.retain(None, IDENTITY, "a", request)

    (command,) = outbox.of(RetainModels)
    assert (command.keep_newest, command.deployed_within_days) == (3, 90)
    with pytest.raises(NotFound):
        await gateway.retain(None, IDENTITY, "nobody", request)


async def test_an_imported_model_is_registered_with_its_source_and_no_items() -> None:
    gateway, outbox = await commands()
    request = ImportRequest(artifact=ITEMS, source="picker 1.2.0", reason="from staging")

    first = await gateway.import_model(None, IDENTITY, "a", request)
    again = await gateway.import_model(None, IDENTITY, "a", request)

    (command,) = outbox.of(RegisterModel)
    assert first == again
    assert (command.artifact, command.kind.value) == (ITEMS, "selector")
    assert command.lineage["imported_from"] == "picker 1.2.0"
    with pytest.raises(NotFound):
        await gateway.import_model(None, IDENTITY, "nobody", request)
