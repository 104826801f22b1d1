"""Domains that need no examples, by the scenario type that names them."""

from __future__ import annotations

from collections.abc import Mapping

from services.synthetic_generator.generators.grammar import Grammar
from services.synthetic_generator.generators.grammars.customer_support import CUSTOMER_SUPPORT
from services.synthetic_generator.generators.grammars.tool_use import TOOL_USE

GRAMMARS: Mapping[str, Grammar] = {
    "customer-support": CUSTOMER_SUPPORT,
    "tool-use": TOOL_USE,
}
