"""Pages of the handbook: Markdown files of this release as HTML.

They are the project's own text, and rendered with HTML turned off: a page brings no script.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from services.gateway.errors import NotFound

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

SOURCE: Final = Path(__file__).parents[3] / "contracts/handbook"
INSTALLED: Final = Path(sys.prefix) / "share/archon/handbook"
"""Where the contracts' distribution puts the pages; an image has no sources."""
TABLE: Final = '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'
"""A wide table scrolls by itself, also by keyboard."""
INDEX: Final = "index"
NAME: Final = re.compile(r"[a-z-]{1,40}")


@dataclass(frozen=True, slots=True)
class HandbookPage:
    """A page: its title, and its HTML."""

    title: str
    html: str


@cache
def load_page(name: str) -> HandbookPage:
    """A page by its file's name; `index` is the first one.

    Raises:
        NotFound: the handbook has no such page.
    """
    folder = SOURCE if SOURCE.is_dir() else INSTALLED
    path = folder / ("README.md" if name == INDEX else f"{name}.md")
    if not NAME.fullmatch(name) or not path.is_file():
        raise NotFound("page of the handbook", name)
    text = path.read_text(encoding="utf-8")
    title = text.partition("\n")[0].lstrip("# ").strip()
    return HandbookPage(title, _renderer().render(text))


def fragment_of(heading: str) -> str:
    """The fragment of a heading, as forges name it: lower case, hyphens for spaces."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@cache
def _renderer() -> MarkdownIt:
    # Imported at the first page: programs that use the API never need it.
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.core.ruler.push("handbook", _adapt)
    made.add_render_rule("table_open", lambda *_: TABLE)
    made.add_render_rule("table_close", lambda *_: "</table></div>")
    return made


def _adapt(state: Any) -> None:
    """Name headings, and point links at this site."""
    tokens = state.tokens
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", fragment_of(tokens[place + 1].content))
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _target(str(child.attrGet("href"))))


def _target(href: str) -> str:
    """The address of a link between pages; other files of the repository lead to the start."""
    page, hash_sign, fragment = href.partition("#")
    if "://" in href or not page:
        return href
    name = page.removesuffix(".md")
    place = f"/handbook/{name}" if NAME.fullmatch(name) and page.endswith(".md") else "/handbook"
    return place + hash_sign + fragment
