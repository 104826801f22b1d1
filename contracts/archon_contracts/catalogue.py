"""All contracts, found by their wire type."""

from __future__ import annotations

from typing import Final

from archon_contracts import commands, events
from archon_contracts.base import Contract


def _contracts(module: object, names: list[str]) -> tuple[type[Contract], ...]:
    members = (getattr(module, name) for name in names)
    return tuple(m for m in members if isinstance(m, type) and issubclass(m, Contract))


EVENTS: Final = _contracts(events, events.__all__)
COMMANDS: Final = _contracts(commands, commands.__all__)
CONTRACTS: Final = EVENTS + COMMANDS
BY_TYPE: Final = {contract.message_type(): contract for contract in CONTRACTS}
