"""Words that nothing synthetic adds to a dataset."""

from __future__ import annotations

import re
from typing import Final

# Insults and profanity of everyday English, by their stems. It is a floor and no classifier: what
# is meant badly in good words is not seen.
_STEMS: Final = (
    "arsehole asshole bastard bitch bollocks bullshit cunt dickhead douchebag faggot fuck "
    "goddamn jackass moron motherfuck nigger piss prick retard shit slut twat wank whore"
)
_LISTED: Final = re.compile(rf"\b(?:{'|'.join(_STEMS.split())})\w*", re.IGNORECASE)


def find_listed(text: str) -> frozenset[str]:
    """The listed words of a text, in lower case."""
    return frozenset(match.casefold() for match in _LISTED.findall(text))
