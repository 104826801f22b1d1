"""Pages: links lead to files, linked functions exist, and the index of decisions is current."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DECISIONS = ROOT / "contracts" / "decisions"
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<path>[^)#]+)\)")
TITLE = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n\nStatus: (?P<status>\w+), (?P<date>[\d-]+)\.\n"
)
INDEX_ROW = re.compile(
    r"\| (?P<number>\d+) \| \[(?P<title>[^\]]+)\]\((?P<file>[^)]+)\)"
    r" \| (?P<status>\w+) \| (?P<date>[\d-]+) \| (?P<line>.+) \|"
)
MOST_WORDS_IN_A_TITLE = 12

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "contracts" / "README.md",
    ROOT / "shared" / "README.md",
    *sorted(ROOT.glob("services/*/README.md")),
    *sorted(ROOT.glob("tests/*/README.md")),
    *sorted(DECISIONS.glob("*.md")),
]
DECISION_PAGES = sorted(DECISIONS.glob("[0-9]*.md"))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())


def links(page: Path) -> list[tuple[str, Path]]:
    found = LINK.finditer(page.read_text())
    return [(m["text"], page.parent / m["path"]) for m in found if "://" not in m["path"]]


@each_page
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [str(path) for _, path in links(page) if not path.exists()] == []


@each_page
def test_every_function_is_in_the_file_that_its_link_names(page: Path) -> None:
    missing = [
        name
        for text, path in links(page)
        if path.suffix == ".py" and text.startswith("`") and not text.endswith(".py`")
        for name in text.strip("`").split(".")
        if not re.search(rf"((class|def) {name}\b|^{name}\b)", path.read_text(), re.MULTILINE)
    ]

    assert missing == []


def test_every_make_target_that_a_page_names_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {".venv/.ready", *re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)}
    pages = [*PAGES, ROOT / "docker-compose.yml", ROOT / "deploy/docker/env.example"]

    named = {
        name
        for page in pages
        for name in re.findall(r"(?:`|#   )make ([\w./-]+)", page.read_text())
    }

    assert "test" in named
    assert named <= targets


def test_a_decision_page_states_number_title_status_and_date() -> None:
    assert [page.name for page in DECISION_PAGES if not TITLE.match(page.read_text())] == []


def test_the_index_of_decisions_is_current() -> None:
    rows = {row["file"]: row for row in INDEX_ROW.finditer((DECISIONS / "README.md").read_text())}
    heads = {page.name: TITLE.match(page.read_text()) for page in DECISION_PAGES}

    assert list(rows) == list(heads)
    for name, head in heads.items():
        assert head
        for key in ("number", "title", "status", "date"):
            assert rows[name][key] == head[key]


def test_titles_of_decisions_are_short() -> None:
    titles = [match["title"] for p in DECISION_PAGES if (match := TITLE.match(p.read_text()))]

    assert [title for title in titles if len(title.split()) > MOST_WORDS_IN_A_TITLE] == []
