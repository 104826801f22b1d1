"""Keys that are bound to agents: what they may name, and what they see.

A route that does not declare that it applies the binding refuses such keys (`BoundKeys.REFUSED`
is the default), so that a new route is closed until it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from uuid import UUID

from fastapi import Request

from services.gateway.auth.credentials import Caller
from services.gateway.errors import NotAllowed, NotFound

MAX_NAMES_SHOWN = 5


class BoundKeys(Enum):
    """What a route does with a key that is bound to agents."""

    REFUSED = auto()
    """It shows or changes what is not of one agent."""
    APPLIED = auto()
    """It calls `require_agents` or `hide_other_agents` on what it names, or filters."""


def require_binding(request: Request, caller: Caller, bound: BoundKeys) -> None:
    """Apply a key's binding to the path and query of a request.

    Raises:
        NotAllowed: the route takes no bound keys, or the URL names another agent.
    """
    if caller.agents is None:
        return
    if bound is BoundKeys.REFUSED:
        raise NotAllowed(
            f"this key ({caller.name}) is bound to {_names(caller)}, and this route is not of one "
            "agent; use a key that is not bound"
        )
    # Every agent in a URL stands under this name: test_agent_binding.py walks the routes.
    named = (request.path_params.get("agent_id"), *request.query_params.getlist("agent_id"))
    require_agents(caller, [name for name in named if name is not None])


def require_agents(caller: Caller, agent_ids: Iterable[str]) -> None:
    """Refuse a key that names an agent to which it is not bound.

    Raises:
        NotAllowed: with the agent, and those that the key may name.
    """
    for agent_id in agent_ids:
        if not caller.may_name(agent_id):
            raise NotAllowed(
                f"this key ({caller.name}) is bound to {_names(caller)}; it may not name agent "
                f"{agent_id[:100]!r}: use a key of that agent"
            )


def hide_other_agents(caller: Caller, agent_id: str, what: str, name: UUID) -> None:
    """Answer as if it did not exist: an id alone must not reveal whose it is.

    Raises:
        NotFound: it is of an agent to which the key is not bound.
    """
    if not caller.may_name(agent_id):
        raise NotFound(what, name)


def _names(caller: Caller) -> str:
    names = sorted(caller.agents or ())
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return f"agents {', '.join(names[:MAX_NAMES_SHOWN])}{more}"
