"""What the supervisor starts and watches."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from deploy.local.processes.child import Child


class Component(Protocol):
    """One server of the local system. `launch` may be called again after its process ended."""

    @property
    def name(self) -> str:
        """The name shown to people."""
        ...

    @property
    def port(self) -> int:
        """The loopback port that it listens on."""
        ...

    @property
    def log_path(self) -> Path:
        """The file that its output goes to."""
        ...

    async def launch(self) -> Child:
        """Start the process, having cleared what an earlier one left behind."""
        ...

    async def is_ready(self) -> bool:
        """Return whether the server can be used now."""
        ...
