"""The handbook and the code: commands parse, requests exist, links lead somewhere."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from deploy.cli import app
from services.gateway.errors import NotFound
from services.gateway.handbook.pages import INDEX, SOURCE, fragment_of, load_page
from tests.reference import build_openapi
from tests.support.sources import ROOT

PAGES = sorted(path.stem for path in SOURCE.glob("*.md") if path.stem != "README")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Code blocks of a language, each with its page."""
    for path in sorted(SOURCE.glob("*.md")):
        for block in re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL):
            yield path.name, block


USAGE_ERROR: Any = typer.BadParameter.__base__
"""What the parser raises; the library has no public name for it."""
BLOCKS = "".join(block for _, block in blocks("sh"))
SHOWN = sorted({line for line in BLOCKS.splitlines() if line.startswith("archon ")})
NAMED = sorted(
    {
        command
        for path in SOURCE.glob("*.md")
        for command in re.findall(r"`(archon [^`]+)`", path.read_text())
    }
)


def problem_of(line: str) -> str:
    """The kind of error that the command line's own parser finds in a command; empty: none."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while hasattr(command, "commands") and words:
        name = words.pop(0)
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    try:
        # Parses and does not run.
        command.make_context(command.name, words)
    except USAGE_ERROR as error:
        return type(error).__name__
    return ""


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_a_page_shows_can_be_run_as_it_is(line: str) -> None:
    assert problem_of(line) == ""


@pytest.mark.parametrize("line", NAMED)
def test_a_command_that_a_text_names_exists(line: str) -> None:
    # It may stand without what it needs, but not with what does not exist.
    assert problem_of(line) in ("", "MissingParameter", "NoArgsIsHelpError")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("archon jobs shw JOB", "no command shw"),
        ("archon up --prt 1", "NoSuchOption"),
        ("archon models rollback a", "MissingParameter"),
        ("archon jobs list --limit many", "BadParameter"),
    ],
)
def test_a_command_that_cannot_be_run_is_found(line: str, problem: str) -> None:
    assert problem_of(line) == problem


def test_targets_of_make_and_code_are_real() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page, block in blocks("sh"):
        for target in re.findall(r"^make (\S+)", block, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), (page, target)
    for page, block in blocks("python"):
        compile(block, page, "exec")


def test_requests_that_a_page_names_exist() -> None:
    paths = build_openapi()["paths"]
    for path in SOURCE.glob("*.md"):
        for method, place in re.findall(r"`(GET|POST) (/v1[^`?]*)`", path.read_text()):
            assert method.lower() in paths.get(place, {}), (path.name, method, place)


@pytest.mark.parametrize("name", [INDEX, *PAGES])
def test_a_page_is_rendered_and_its_links_lead_somewhere(name: str) -> None:
    page = load_page(name)

    assert page.title
    assert "<script" not in page.html
    for href in re.findall(r'href="([^"]+)"', page.html):
        place, _, fragment = href.partition("#")
        if "://" in href:
            continue
        target = load_page(place.removeprefix("/handbook").strip("/") or INDEX) if place else page
        if fragment:
            assert f'id="{fragment}"' in target.html, href


@pytest.mark.parametrize("name", ["nothing", "../trust", "README", "a/b", "", "x" * 100])
def test_another_page_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        load_page(name)


def test_html_of_a_page_is_text() -> None:
    assert fragment_of("My model got worse") == "my-model-got-worse"
    assert "<b>" not in load_page(INDEX).html


def test_the_reference_names_every_request_and_message() -> None:
    text = (SOURCE / "api.md").read_text()
    document = json.loads(json.dumps(build_openapi()))

    for path, methods in document["paths"].items():
        for method in methods:
            assert f"### `{method.upper()} {path}`" in text
    assert "`FeedbackReceived`" in text


def test_the_pages_are_part_of_the_distribution() -> None:
    assert "handbook/*.md" in (Path(SOURCE).parent / "pyproject.toml").read_text()
