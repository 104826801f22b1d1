"""What an application runs beside its broker."""

from __future__ import annotations

from typing import Protocol


class Background(Protocol):
    """Something that runs as long as the process; its death ends the process."""

    name: str

    async def run(self) -> None:
        """Run until cancelled."""
        ...
