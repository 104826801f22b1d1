"""What the README links to is there, and what it names is in the file that it links to."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<path>[^)#]+)\)")


def links() -> list[tuple[str, Path]]:
    text = (ROOT / "README.md").read_text()
    return [(match["text"], ROOT / match["path"]) for match in LINK.finditer(text)]


def test_every_link_leads_to_a_file() -> None:
    assert [str(path) for _, path in links() if not path.is_file()] == []


def test_every_function_is_in_the_file_that_its_link_names() -> None:
    missing = [
        name
        for text, path in links()
        if path.suffix == ".py" and text.startswith("`")
        for name in text.strip("`").split(".")
        if not re.search(rf"(class|def) {name}\b", path.read_text())
    ]

    assert missing == []
