"""Numbers of addresses and forms: ASCII digits, and nothing else that Python would take for one.

`int` and `float` also read underscores, spaces and the digits of every script, and pydantic some of
these: `?limit=1_0` would be ten.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
_DECIMAL: Final = re.compile(r"-?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?")


def read_whole_number(text: str) -> int | None:
    """The number that the text is in plain digits; None: it is none."""
    return int(text) if _WHOLE.fullmatch(text) else None


def read_number(text: str) -> float | None:
    """The number that the text is in plain digits, with a point or an exponent; None: none."""
    return float(text) if _DECIMAL.fullmatch(text) else None


def _require_digits(value: object) -> object:
    if isinstance(value, str) and read_whole_number(value) is None:
        raise PydanticCustomError("int_parsing", "Input should be a whole number such as 10")
    return value


WholeNumber = Annotated[int, BeforeValidator(_require_digits)]
"""Of a query or path; bounds are added to it."""
