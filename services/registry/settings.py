"""What an operator can set for the registry."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Retention of versions, beyond what every service has."""

    service: str = "registry"
    registry_keep_versions: int = Field(
        default=0,
        ge=0,
        description="Newest versions of an agent that stay when a further one is registered; "
        "older ones are archived unless they are protected. 0: all stay.",
    )
    registry_deployed_within_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Versions that were deployed in so many days are not archived by that [d]",
    )
