"""The identity of a writing request: its caller and an id; the same id again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from archon_contracts.identifiers import new_id
from services.gateway.auth.credentials import Caller
from shared.messaging.messages import Cause


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """The caller and the id of a request."""

    caller: Caller
    id: UUID

    @property
    def tenant_id(self) -> str:
        """The caller's tenant."""
        return self.caller.tenant_id

    @property
    def actor(self) -> str:
        """The caller, for the audit log."""
        return self.caller.actor

    def cause(self, correlation_id: object = "") -> Cause:
        """The request as the cause of messages, in the current trace."""
        return Cause(self.id, str(correlation_id or self.id))


def identify_request(caller: Caller, request_id: UUID | None = None) -> RequestIdentity:
    """The identity of a request, with a new id unless one is provided."""
    return RequestIdentity(caller, request_id or new_id())
