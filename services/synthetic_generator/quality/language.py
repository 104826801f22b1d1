"""Which texts English phrases and English rules fit, and what the words of a text are.

A wrong "English" puts English words around German sentences and moves German nouns as if they were
names; a wrong "not English" costs some variety. So English must be shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_WORD = re.compile(r"[^\W\d_]+")

# The most frequent function words; those that English shares with others are in neither.
_ENGLISH_WORDS: Final = """
the and of to is are was were be been it its that this these those with for from have has had my
your our their you we they she not what where when which who how why can could would should will
please does did there here about any some
"""
_WORDS_OF_OTHERS: Final = """
der die das den dem ein eine einen einem und ist sind nicht ich sie wir mein meine meinen zu mit auf
für von wie wo wann kann bitte habe haben het een en niet ik mijn wij zijn voor van
le la les un une des du et est sont je nous vous mon ma mes pas pour avec sur dans que qui
el los las una y es mi mis por para con como donde cuando os um uma não meu minha
il lo gli di che non sono per come dove quando mio mia
nie jest się w z na czy mój moja proszę se jsem můj
och är jag inte min mitt på jeg ikke mit er det ja ole minun
ve bir bu benim için değil dan yang saya tidak ini
"""
ENGLISH: Final = frozenset(_ENGLISH_WORDS.split())
OTHERS: Final = frozenset(_WORDS_OF_OTHERS.split())

# Scripts that do not set spaces between words: Han, kana, Thai, Lao, Khmer, Burmese, Tibetan.
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


def split_words(text: str) -> list[str]:
    """The words of a text; in scripts without spaces between words each sign is one."""
    return text.split() if text.isascii() else _TOKEN.findall(text)


def is_english(texts: Iterable[str]) -> bool:
    """Whether the texts are English, by their function words and their letters.

    Without any function word at all ("reset password"), texts in plain ASCII are taken for it.
    """
    english = others = letters = foreign = 0
    for text in texts:
        words = _WORD.findall(text.casefold())
        english += sum(word in ENGLISH for word in words)
        others += sum(word in OTHERS for word in words)
        letters += sum(map(len, words))
        foreign += sum(not sign.isascii() for word in words for sign in word)
    # A few letters of names and loanwords (café, Zürich) make no other language.
    if foreign > letters / 20:
        return False
    return english >= 2 * others
