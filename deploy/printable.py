"""Text of others as a terminal may have it."""

import unicodedata

UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls, marks that turn the direction of writing, halves of characters, line separators."""


def printable(text: str) -> str:
    """One line without anything that a terminal would obey: each such character is a space.

    An escape sequence in a name could else move the cursor, hide a line or set the title.
    """
    return "".join(" " if unicodedata.category(each) in UNPRINTABLE else each for each in text)
