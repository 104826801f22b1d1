"""Curves as text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plotille import Figure

from deploy.printable import printable

COLOURS: Final = ("cyan", "yellow", "magenta", "green", "red", "blue")
MAX_LABEL: Final = 48


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a chart."""

    label: str
    steps: Sequence[int]
    values: Sequence[float]


def draw_curves(curves: Sequence[Curve], *, width: int, height: int, colours: bool) -> str:
    """One chart of the curves over their steps, in dots of Braille, with a legend.

    Raises:
        ValueError: there is no point.
    """
    drawn = [curve for curve in curves if curve.steps]
    if not drawn:
        raise ValueError("there is no point to draw")
    figure = Figure()
    figure.width, figure.height = width, height
    figure.with_colors, figure.color_mode = colours, "names"
    figure.x_label, figure.y_label = "step", "value"
    # Rounded to four significant digits: the library shows every digit of a number.
    figure.register_label_formatter(float, _label)
    figure.register_label_formatter(int, _label)
    low, high = _limits([value for curve in drawn for value in curve.values])
    figure.set_y_limits(low, high)
    first, last = _limits([float(step) for curve in drawn for step in curve.steps])
    figure.set_x_limits(first, last)
    for place, curve in enumerate(drawn):
        colour = COLOURS[place % len(COLOURS)]
        figure.plot(curve.steps, curve.values, lc=colour, label=printable(curve.label)[:MAX_LABEL])
    return str(figure.show(legend=True))


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis; of equal values some room on both sides."""
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 0.5
    return low - room, high + room


def _label(value: float, chars: int, delta: object = None, left: bool = False) -> str:
    del delta  # the distance of two ticks, by which the library would choose the digits
    text = f"{value:.4g}"
    return text.ljust(chars) if left else text.rjust(chars)
