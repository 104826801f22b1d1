"""URLs without the credentials in them, for messages."""

from __future__ import annotations

import re
from typing import Final

# To the last '@' before a space: a password that was not percent-encoded may hold '/', '?' and '@'.
_USER_INFO: Final = re.compile(r"(?<=://)\S*@")
_QUERY: Final = re.compile(r"[?#]\S*")


def without_credentials(url: str) -> str:
    """A URL, or a text with one, without user, password, query and fragment."""
    return _QUERY.sub("", _USER_INFO.sub("", url))
