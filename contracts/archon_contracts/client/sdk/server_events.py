"""Server-sent events, line by line (the WHATWG specification's event stream)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event of the system: its type, such as ModelDeployed, its id, and its body."""

    type: str
    data: dict[str, Any]
    id: str = ""


@dataclass(slots=True)
class EventStreamParser:
    """Builds events of lines without their ends."""

    last_event_id: str = ""
    _fields: dict[str, list[str]] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin a connection: what was cut off of the last one comes again."""
        self._fields = {}

    def add_line(self, line: str) -> ServerEvent | None:
        """Take one line; an empty one ends an event, which is returned."""
        if line:
            name, _, value = line.partition(":")
            if name:  # a line that begins with a colon is a comment, such as a ping
                self._fields.setdefault(name, []).append(value.removeprefix(" "))
            return None
        fields, self._fields = self._fields, {}
        if "id" in fields:
            self.last_event_id = fields["id"][-1]
        if "data" not in fields:
            return None
        body: Any = json.loads("\n".join(fields["data"]))
        kind = fields.get("event", ["message"])[-1]
        return ServerEvent(
            kind, body if isinstance(body, dict) else {"value": body}, self.last_event_id
        )
