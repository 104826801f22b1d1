"""Audit entries of other services, before the gateway keeps a copy of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from archon_contracts.audit_chain import GENESIS_HASH, compute_hash
from archon_contracts.events import AuditRecorded
from archon_contracts.identifiers import new_id
from services.gateway.audit.entries import require_genuine
from services.gateway.errors import AuditForged


def entry(**changes: Any) -> AuditRecorded:
    """An entry as its service writes it, then changed."""
    fields: dict[str, Any] = {
        "tenant_id": "acme",
        "chain": "registry",
        "sequence": 1,
        "entry_id": new_id(),
        "recorded_at": datetime(2026, 3, 1, tzinfo=UTC),
        "actor": "label-desk",
        "action": "deployed",
        "subject": "1.0.0",
        "cause_id": new_id(),
        "previous_hash": GENESIS_HASH,
    }
    written = AuditRecorded(**fields, hash="0" * 64)
    genuine = written.model_copy(update={"hash": compute_hash(written.model_dump())})
    return genuine.model_copy(update=changes)


def test_an_entry_as_it_was_written_is_kept() -> None:
    require_genuine(entry())
    require_genuine(AuditRecorded.model_validate_json(entry().to_bytes()))


@pytest.mark.parametrize(
    "changes",
    [{"actor": "nobody"}, {"subject": "9.9.9"}, {"hash": "f" * 64}, {"sequence": 2}],
)
def test_an_entry_that_does_not_hash_to_what_it_says_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(AuditForged, match="chain registry of tenant acme"):
        require_genuine(entry(**changes))
