"""What an operator can set for the registry."""

from __future__ import annotations

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The registry needs nothing beyond what every service has."""

    service: str = "registry"
