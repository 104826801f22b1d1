"""Parser errors as refusals."""

from services.gateway.errors import Invalid
from services.gateway.http.validation import format_field_path, to_request_error


class ManyErrors:
    """What pydantic raises, with so many errors that building them is forbidden."""

    def error_count(self) -> int:
        return 1_000_000

    def errors(self, **_: bool) -> list[object]:
        raise AssertionError("a million errors were built")


def test_a_million_parser_errors_become_one_refusal_without_being_built() -> None:
    refusal = to_request_error(ManyErrors())  # type: ignore[arg-type]  # stands in for pydantic's

    assert isinstance(refusal, Invalid)
    assert [(e.rule, e.message[:7]) for e in refusal.errors] == [("too_many_errors", "1000000")]


def test_a_field_path_is_written_with_dots_and_indexes() -> None:
    assert format_field_path(("events", 3, "context", "a")) == "events[3].context.a"
    assert format_field_path(()) == "body"
