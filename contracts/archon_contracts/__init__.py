"""Typed events, commands and clients of Archon Training."""

from archon_contracts.base import Contract, ValueObject
from archon_contracts.envelope import Envelope

__all__ = ["Contract", "Envelope", "ValueObject"]
