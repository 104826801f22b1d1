"""The prefix by which several deployments share one Kafka: topics, groups, client and
transactional ids of each begin with its namespace.

Code, database and telemetry keep the plain names of `topics`; they are qualified where a Kafka
client is made or asked, and made plain again where a record is read. So a dead letter or an
exported window means the same in every deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACE_PATTERN: Final = r"^([a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?)?$"
"""Lower-case letters, digits and inner hyphens, 40 at most; empty: no prefix. Without dots and
underscores: those of a topic's name collide in Kafka's metric names."""
SEPARATOR: Final = "."


@dataclass(frozen=True, slots=True)
class Namespace:
    """What stands before every name that one deployment has on a Kafka; empty: nothing."""

    name: str = ""

    @property
    def prefix(self) -> str:
        """What to put before a name; an ACL by prefix names the same."""
        return f"{self.name}{SEPARATOR}" if self.name else ""

    def qualify(self, name: str) -> str:
        """The name on Kafka of a topic, group, client or transaction."""
        return f"{self.prefix}{name}"

    def plain(self, qualified: str) -> str:
        """The name without this namespace; one of another deployment stays as it is."""
        return qualified.removeprefix(self.prefix)


NO_NAMESPACE: Final = Namespace()
