"""The waterfall: order, depth, folding, orphans, bars to scale."""

from datetime import UTC, datetime, timedelta

from rich.console import Console

from deploy.waterfall import Span, arrange, bar, draw, duration, read_spans

START = datetime(2026, 1, 1, tzinfo=UTC)


def span(
    name: str, parent: str | None = None, *, at: float = 0, took: float = 1, service: str = "s"
) -> Span:
    return Span(name, parent, service, name, at, took)


def raw(name: str, at: float, took: float) -> dict[str, object]:
    began = START + timedelta(seconds=at)
    return {
        "span_id": name,
        "parent_id": None,
        "service": "trainer",
        "name": name,
        "started_at": began.isoformat(),
        "ended_at": (began + timedelta(seconds=took)).isoformat(),
        "status": "error" if name == "bad" else "ok",
    }


def test_times_are_relative_to_the_earliest_span() -> None:
    late, early = read_spans([raw("late", 5, 1), raw("early", 2, 10)])

    assert (early.start, early.end, late.start) == (0, 10, 3)


def test_a_failed_span_is_known_by_its_status() -> None:
    good, bad = read_spans([raw("good", 0, 1), raw("bad", 0, 1)])

    assert (good.failed, bad.failed) == (False, True)


def test_a_parent_stands_before_its_children_and_siblings_by_start() -> None:
    spans = [span("b", "root", at=2), span("root"), span("a", "root", at=1), span("a1", "a", at=1)]

    rows = arrange(spans).rows

    assert [(row.span.id, row.depth) for row in rows] == [
        ("root", 0), ("a", 1), ("a1", 2), ("b", 1)
    ]  # fmt: skip


def test_a_span_whose_parent_is_missing_is_flagged_as_an_orphan() -> None:
    found = arrange([span("root"), span("lost", "nowhere", at=1)])

    assert [row.orphan for row in found.rows] == [False, True]
    assert found.orphans == 1


def test_alike_siblings_are_folded_into_one_row() -> None:
    batches = [Span(f"b{n}", "root", "s", "batch", n, 1) for n in range(5)]

    rows = arrange([span("root", took=9), *batches]).rows

    assert [(row.span.name, row.count) for row in rows] == [("root", 1), ("batch", 5)]
    assert (rows[1].span.start, rows[1].span.end) == (0, 5)


def test_nothing_is_folded_when_all_spans_are_asked_for() -> None:
    batches = [Span(f"b{n}", None, "s", "batch", n, 1) for n in range(5)]

    assert len(arrange(batches, fold=False).rows) == 5


def test_alike_spans_are_folded_with_what_is_alike_below_them() -> None:
    sends = [Span(f"s{n}", None, "trainer", "send", n, 0) for n in range(3)]
    reads = [Span(f"r{n}", f"s{n}", "gateway", "process", n, 1) for n in range(3)]

    rows = arrange([*sends, *reads]).rows

    assert [(row.span.name, row.depth, row.count) for row in rows] == [
        ("send", 0, 3), ("process", 1, 3)
    ]  # fmt: skip


def test_a_failed_span_is_never_folded_away() -> None:
    batches = [Span(f"b{n}", None, "s", "batch", n, 1, failed=n == 1) for n in range(4)]

    assert [row.count for row in arrange(batches).rows] == [3, 1]


def test_a_bar_starts_and_ends_to_scale() -> None:
    assert bar(span("x", at=5, took=5), total=20, width=8) == "  ██"


def test_a_bar_of_almost_nothing_is_still_seen() -> None:
    assert bar(span("x", at=20, took=0), total=20, width=8) == "       ▏"


def test_short_times_are_shown_in_milliseconds() -> None:
    assert (duration(0.0123), duration(12.34)) == ("12 ms", "12.3 s")


def test_the_drawing_names_every_service_and_the_orphans() -> None:
    console = Console(width=100)
    spans = [span("root", service="agent"), span("lost", "nowhere", service="registry")]

    with console.capture() as output:
        console.print(draw(arrange(spans), width=100))

    text = output.get()
    assert "agent" in text
    assert "registry" in text
    assert "2 spans of 2 services in 1.0 s, 1 orphans" in text


def test_an_empty_trace_can_be_rendered() -> None:
    assert arrange([]).rows == []
