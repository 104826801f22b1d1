"""Base classes of contracts: a frozen body with a wire type, a topic and a key."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from archon_contracts.topics import Topic

TYPE_PREFIX = "archon."

Identifier = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_+/=~-][A-Za-z0-9._:@/+=~-]*$"
    ),
]
"""An id that a sender chose (interaction, item, unit), base64 and nanoid too; at most 128."""


def _refuse_slash(name: str) -> str:
    if "/" in name:
        raise ValueError("a name holds no '/': it is part of URLs, keys and paths; write '.'")
    return name


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/-]*$"),
    AfterValidator(_refuse_slash),  # not in the pattern: it would be a new version of all messages
]
"""A name of a tenant, agent or dataset: it stands in URLs, and with `/` between in Kafka keys."""


class ValueObject(BaseModel):
    """A part of a contract. Frozen; readers ignore fields they do not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        # Inputs are texts of users, and errors are logged.
        hide_input_in_errors=True,
        allow_inf_nan=False,  # JSON has neither: they would arrive as null
    )


class Contract(ValueObject):
    """A message body. Subclasses state their topic and which field is the Kafka key."""

    topic: ClassVar[Topic]
    key_field: ClassVar[str]
    version: ClassVar[int] = 1

    tenant_id: Name = Field(default="default", description="Whose data this is.")

    @classmethod
    def message_type(cls) -> str:
        """The CloudEvents type, with the major version: `archon.DatasetPrepared.v1`."""
        return f"{TYPE_PREFIX}{cls.__name__}.v{cls.version}"

    @property
    def key(self) -> str:
        """The Kafka key: the entity whose events must stay in order, prefixed by its tenant."""
        return f"{self.tenant_id}/{getattr(self, self.key_field)}"

    def to_bytes(self) -> bytes:
        """The JSON body as sent on the wire."""
        return self.model_dump_json(exclude_none=True).encode()

    def to_json(self) -> dict[str, Any]:
        """The JSON body as a plain dictionary."""
        return self.model_dump(mode="json", exclude_none=True)
