"""The way of one feedback event, as the README lists it."""

import re

SECTION = re.compile(r"^## Follow one feedback event\n(?P<body>.*?)(?=^## |\Z)", re.M | re.S)
LINK = re.compile(r"\]\((?P<path>[^)#]+\.py)\)")


def files_on_the_path(readme: str) -> list[str]:
    """The distinct modules that the section links to, in the order of their first link."""
    section = SECTION.search(readme)
    if section is None:
        return []
    return list(dict.fromkeys(match["path"] for match in LINK.finditer(section["body"])))
