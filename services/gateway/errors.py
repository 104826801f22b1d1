"""Errors of the gateway. `http/problems.py` turns each into an HTTP answer.

RetryableError
├── ProducerUnavailable     the broker did not acknowledge in time; nothing is known to be lost
└── TryLater              refused for now, with the time to wait
    ├── RateLimited       a key, tenant or address is over its rate limit
    └── Overloaded        too much work is in flight or waits
PermanentError
├── AuditForged           an audit entry that is not as its hash says
├── NotAuthenticated      no key, or one that is not known
├── NotAllowed            the key lacks the scope, for the request or for fields of it
├── NotFound              this tenant has no such resource
│   └── NothingDeployed   the agent had no deployed version at the moment
├── Conflict              the request contradicts the stored state
├── MalformedBody         the body cannot be read at all
├── TooLarge              one item is larger than a Kafka record may be
└── Invalid               fields that break a rule, each named
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from archon_contracts.values import AgentKind, TrainingMethod
from shared.errors import PermanentError, RetryableError


class ProducerUnavailable(RetryableError):
    """The broker did not acknowledge in time; sending again is safe, ids are deterministic."""


class TryLater(RetryableError):
    """Refused for now: which limit, why, and the whole seconds to wait, 1 or more."""

    def __init__(self, limit: str, reason: str, seconds: float) -> None:
        self.limit = limit
        self.reason = reason
        self.retry_after_seconds = max(1, math.ceil(seconds))
        super().__init__(
            f"{reason}: the limit {limit} is reached; "
            f"send the same again in {self.retry_after_seconds} s"
        )


class RateLimited(TryLater):
    """A key, tenant or address is over its rate limit."""


class Overloaded(TryLater):
    """Too much work is in flight or waits."""


class AuditForged(PermanentError):
    """An audit entry that is not as its hash says."""


class NotAuthenticated(PermanentError):
    """No API key, or one that is not known."""


class NotFound(PermanentError):
    """This tenant has no such resource."""

    def __init__(self, what: str, name: object) -> None:
        super().__init__(f"no {what} is named {str(name)[:200]!r}")


class NothingDeployed(NotFound):
    """The agent had no deployed version at the moment that is asked about."""

    def __init__(self, agent_id: str, moment: datetime | None) -> None:
        when = f"at {moment.isoformat()}" if moment else "so far"
        PermanentError.__init__(
            self,
            f"agent {agent_id} had no deployed version {when}; "
            f"its deployments are listed at /v1/agents/{agent_id}/deployments",
        )


class Conflict(PermanentError):
    """The request contradicts the stored state."""


class MalformedBody(PermanentError):
    """The body cannot be read at all."""


class TooLarge(PermanentError):
    """One item is larger than a Kafka record may be."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """A field (such as `events[3].rating`), the rule that it breaks, and a sentence."""

    field: str
    rule: str
    message: str


class NotAllowed(PermanentError):
    """The API key lacks the scope; `errors` names the fields that need it, where it is those."""

    def __init__(self, reason: str, errors: Sequence[FieldError] = ()) -> None:
        self.errors = tuple(errors)
        super().__init__(reason)


class Invalid(PermanentError):
    """Fields that break a rule."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in self.errors[:3]))


def describe_unavailable_method(
    method: TrainingMethod, kind: AgentKind, available: Collection[TrainingMethod]
) -> FieldError:
    """The refusal of a method, with those that are available for the kind of agent."""
    names = ", ".join(each.value for each in TrainingMethod if each in available) or "none"
    message = (
        f"no trainer has a recipe for {method.value} training of a {kind.value}; available: {names}"
    )
    return FieldError("method", "method_not_available", message)
