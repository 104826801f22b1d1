"""What a client opens and closes."""

from __future__ import annotations

from typing import Protocol


class KafkaConnection(Protocol):
    """A producer or consumer of aiokafka."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...
