"""Numbers in plain digits, and that no route reads any other as one."""

import pytest
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter, ValidationError

from services.gateway.http.numbers import WholeNumber, read_number, read_whole_number
from tests.reference import build_application

ODD = ("1_0", "+5", " 5", "5 ", "\u0663", "\uff15", "1e1", "0x1", "", "-", "9" * 20, "1\n")


@pytest.mark.parametrize("text", ODD)
def test_what_is_not_in_plain_digits_is_no_whole_number(text: str) -> None:
    assert read_whole_number(text) is None
    with pytest.raises(ValidationError, match="a whole number such as 10"):
        TypeAdapter(WholeNumber).validate_python(text)


@pytest.mark.parametrize("text", ["1_0.5", "+0.5", " 0.5", "\u0663.5", "nan", "inf", "", ".", "1e"])
def test_what_is_not_in_plain_digits_is_no_number(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("0.5", 0.5), ("-2", -2.0), (".5", 0.5), ("1e-3", 0.001), ("3.", 3.0)]
)
def test_decimal_numbers_are_read(text: str, expected: float) -> None:
    assert read_number(text) == expected
    assert read_whole_number("-10") == -10


def test_every_number_of_an_address_is_read_in_plain_digits() -> None:
    lax, checked = [], 0
    for context in iter_route_contexts(build_application().routes):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        for parameter in get_flat_params(route.dependant):
            read = [parameter.validate(text, {}, loc=("x",))[0] for text in ("1_0", "+10")]
            checked += 1
            if any(isinstance(value, int | float) for value in read):
                lax.append(f"{route.path} {parameter.name}")

    assert lax == []
    assert checked > 100
