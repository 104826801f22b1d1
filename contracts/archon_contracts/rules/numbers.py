"""Numbers that people choose, with their bounds.

Strict: `true` would be read as 1, as stars the worst rating, as a count the smallest.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from archon_contracts.rules.bounds import COUNT_BOUND, SECONDS_BOUND, at_most

Proportion = Annotated[float, Strict(), Field(ge=0.0, le=1.0)]
Number = Annotated[float, Strict()]
Integer = Annotated[int, Strict()]
Count = Annotated[int, Strict(), Field(ge=0), COUNT_BOUND]
PositiveCount = Annotated[int, Strict(), Field(ge=1), COUNT_BOUND]
Seconds = Annotated[float, Strict(), Field(ge=0), SECONDS_BOUND]
StarDrop = Annotated[float, Strict(), Field(gt=0), at_most(4, "from best to worst")]
Escalations = Annotated[int, Strict(), Field(ge=0), at_most(5)]
Returns = Annotated[int, Strict(), Field(ge=0), at_most(100)]
AccuracyDrop = Annotated[float, Strict(), Field(ge=0), at_most(1)]
PositiveSeconds = Annotated[float, Strict(), Field(gt=0), SECONDS_BOUND]
