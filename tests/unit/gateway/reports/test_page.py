"""The report as a page: self-contained, escaped, and readable without colours."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from archon_contracts.commands import RunSummary
from archon_contracts.events import JobState
from archon_contracts.formats import MoveEffect, TopicDecision
from archon_contracts.values import TrainingMethod
from services.gateway.reports.builder import build_run_report
from services.gateway.reports.page import CONTENT_SECURITY_POLICY, DECISIONS, EFFECTS, render_page
from tests.support.gateway.reported_runs import changes_of, job_of, points_of, topic

LOADING = {"src", "href", "srcset", "action", "data", "poster", "background", "style"}
VOID = {"meta", "br", "line", "circle", "polyline"}


class PageStructure(HTMLParser):
    """Tags, attributes and unclosed elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """The innermost element ends, or the page is broken."""
        assert self.open.pop() == tag


def page_of(changes: Any = None, **fields: Any) -> str:
    """The page of a run."""
    curves = points_of("train/loss", {1: 3.0, 5: 1.0, 9: 0.4})
    return render_page(build_run_report(job_of(**fields), curves, changes or changes_of()))


def test_the_page_loads_and_runs_nothing() -> None:
    structure = PageStructure(page_of())

    assert not {"script", "link", "img", "iframe", "object", "form"} & {
        t for t, _ in structure.tags
    }
    assert not [a for _, attributes in structure.tags for a in attributes if a in LOADING]
    assert not [a for _, attributes in structure.tags for a in attributes if a.startswith("on")]
    assert "url(" not in page_of()
    assert "@import" not in page_of()


def test_the_policy_names_the_one_style_of_the_page() -> None:
    page = page_of()
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    policies = [
        attributes["content"]
        for tag, attributes in PageStructure(page).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [CONTENT_SECURITY_POLICY]


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": "<script>alert(1)</script>", "evaluation": None},
        {"agent_id": "</style><script>alert(1)</script>"},
        {"learning": {"learnt": True, "reasons": ["<img src=x onerror=alert(1)>"]}},
    ],
)
def test_what_others_wrote_is_text(fields: dict[str, Any]) -> None:
    topics = (topic("<b>\"'x", 0.1, 0.2, TopicDecision.GAIN),)

    structure = PageStructure(page_of(changes_of(topics=topics), **fields))

    assert not {"script", "img", "b"} & {tag for tag, _ in structure.tags}


def test_every_element_is_closed_and_every_table_is_named() -> None:
    structure = PageStructure(page_of())

    tags = [tag for tag, _ in structure.tags]
    assert structure.open == []
    assert tags.count("table") == tags.count("caption")
    headings = [attributes for tag, attributes in structure.tags if tag == "th"]
    assert all(attributes.get("scope") in {"row", "col"} for attributes in headings)
    assert ("html", {"lang": "en"}) in structure.tags


def test_drawings_are_named_or_hidden_and_light_and_dark_are_both_there() -> None:
    page = page_of()

    drawings = [attributes for tag, attributes in PageStructure(page).tags if tag == "svg"]
    assert drawings
    assert all("aria-label" in each or each.get("aria-hidden") == "true" for each in drawings)
    assert "prefers-color-scheme: dark" in page


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_stand_out_from_their_background_in_both_schemes() -> None:
    schemes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", page_of(), re.DOTALL)
    ]

    assert len(schemes) == 2
    for scheme in schemes:
        for ground in ("card", "stripe"):
            for text in ("text", "soft", "good", "bad", "warn"):
                bright, dim = sorted(
                    (luminance(scheme[text]), luminance(scheme[ground])), reverse=True
                )
                assert (bright + 0.05) / (dim + 0.05) >= 4.5, (text, ground)


def test_the_matrix_and_the_moves_say_in_words_what_colours_show() -> None:
    page = page_of()

    for shown in ("60.0 %", "+20.0", "▲ gain", "? not enough items", "refund", "i1"):
        assert shown in page
    assert set(DECISIONS) == set(TopicDecision)
    assert set(EFFECTS) == set(MoveEffect)


def test_a_run_without_an_evaluation_says_why() -> None:
    job = job_of(
        state=JobState.FAILED,
        reason="no item is left",
        evaluation=None,
        learning=None,
        version=None,
    )

    page = render_page(build_run_report(job, [], None))

    assert "a run without a version" in page
    assert "no item is left" in page
    assert PageStructure(page).open == []


def test_a_run_of_one_step_shows_its_figures_instead_of_a_curve() -> None:
    page = render_page(build_run_report(job_of(), points_of("train/loss", {1: 0.25}), changes_of()))

    assert "Figures of a run of one step" in page
    assert "0.25" in page


def test_what_the_training_used_and_chose_is_shown_in_words() -> None:
    metrics = {
        "train/best_epoch": 3.0,
        "data/max_length": 40.0,
        "search/trials": 6.0,
        "search/chosen_learning_rate": 3e-4,
        "seeds/deviation": 0.0125,
        "train/loss": 0.5,
    }
    run = RunSummary(method=TrainingMethod.SUPERVISED, steps=60, left_out=2, metrics=metrics)

    page = page_of(changes_of().model_copy(update={"run": run}))

    table = page.partition("What the training used")[2].partition("</table")[0]
    used = re.sub(r"<[^>]+>", "|", table)
    shown = [part for part in used.replace("\n", "").split("|") if part]
    assert shown == [
        *("optimizer steps", "60"),
        *("new items that were left out", "2"),
        *("best epoch, which was kept", "3"),
        *("tokens read of a text", "40"),
        *("trials of the search for settings", "6"),
        *("standard deviation of their accuracy", "0.0125"),
        *("found by the search: learning rate", "0.0003"),
    ]


def test_nothing_is_said_of_a_training_that_nobody_described() -> None:
    page = page_of(changes_of().model_copy(update={"run": None}))

    assert "What the training used" not in page
