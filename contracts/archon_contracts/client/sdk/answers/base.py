"""The base of all answers of the HTTP API."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ApiAnswer(BaseModel):
    """An answer: enumerations are text and unknown fields are ignored.

    So the answers of a newer gateway can be read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)
