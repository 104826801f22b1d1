"""Pages of lists: a limit, and a cursor to what lies beyond it.

A cursor is the number of rows before the page, so pages belong together while the list stays as it
is: what is added at its beginning meanwhile shows a row twice, and what leaves it (a job that is no
longer in the `state` that is asked for) lets one be skipped.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Final, Generic, NamedTuple, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from services.gateway.errors import FieldError, Invalid
from services.gateway.http.numbers import WholeNumber

T = TypeVar("T")

PREFIX: Final = b"after:"
MAX_OFFSET: Final = 2**31 - 1
"""A larger one is no cursor of ours: PostgreSQL's offsets go further, a list does not."""


class PageRequest(NamedTuple):
    """Which part of a list is asked for."""

    limit: int
    offset: int

    @property
    def rows(self) -> int:
        """How many rows to read: one more than is shown, for whether there is a next page."""
        return self.limit + 1

    def next_cursor(self, *found: Sequence[object]) -> str | None:
        """The cursor of the next page; None: no list that was read goes on."""
        if all(len(each) <= self.limit for each in found):
            return None
        return _cursor(self.offset + self.limit)

    def build(self, found: Sequence[T], *, is_cut: bool = False) -> Page[T]:
        """The page of what was read; `is_cut`: the last row that was read did not fit."""
        if is_cut:
            shown = list(found[:-1])
            return Page(items=shown, next_cursor=_cursor(self.offset + len(shown)))
        return Page(items=list(found[: self.limit]), next_cursor=self.next_cursor(found))


class Page(BaseModel, Generic[T]):
    """A part of a list. A row may be on two pages, or on none, when the list changes meanwhile."""

    items: list[T]
    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; absent: this is the last."
    )


def read_page(
    limit: Annotated[WholeNumber, Query(ge=1, le=1000, description="At most this many.")] = 100,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next_cursor` of the page before.")
    ] = None,
) -> PageRequest:
    """The page that a request asks for.

    Raises:
        Invalid: the cursor is none of ours.
    """
    return PageRequest(limit, 0 if cursor is None else _offset(cursor))


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(PREFIX + str(offset).encode()).decode()


def _offset(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        number = text.removeprefix(PREFIX).decode("ascii")
    except (binascii.Error, UnicodeError):
        text, number = b"", ""
    if not text.startswith(PREFIX) or not number.isdecimal() or int(number) > MAX_OFFSET:
        message = "is no cursor; pass the next_cursor of an answer, or leave it out"
        raise Invalid([FieldError("query.cursor", "cursor", message)])
    return int(number)


PAGE: Final = Depends(read_page)
"""The dependency of every list route."""
