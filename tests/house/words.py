"""Finds the table's words in identifiers and prose."""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from tests.house.source_tree import Source
from tests.house.vocabulary import TERMS, Term, searched, without_ordinary

_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_0-9]+)*")
_SQL_COMMENT = re.compile(r"--(?P<text>.*)$")
_CODE_FENCE = re.compile(r"^\s*```")
_INLINE_CODE = re.compile(r"`[^`]*`")
# Python 3.12 and later split an f-string into tokens; in 3.11 it is one STRING.
_TEXT_IN_FSTRING = getattr(tokenize, "FSTRING_MIDDLE", -1)
_BOUNDARY = r"\b"
# Names that libraries chose.
FOREIGN_NAMES = {"given", "tell", "flow", "origin", "set_forkserver_preload"}


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text at one line: an identifier or prose."""

    line: int
    text: str
    is_name: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of the table at its place."""

    word: str
    path: str
    line: int
    text: str


def find_words(sources: Iterable[Source], terms: Iterable[Term] = TERMS) -> list[Hit]:
    """Every place where a word of the table still stands."""
    known = tuple(terms)
    return [hit for source in sources for hit in _hits(source, known)]


def split_identifier(name: str) -> str:
    """The words of an identifier in lower case: `AgentQueue.take` becomes `agent queue take`."""
    return " ".join(part.lower() for part in _HUMPS.findall(name))


def passages(source: Source) -> Iterator[Passage]:
    """The identifiers and the prose of a file; its path is an identifier at line 0."""
    yield Passage(0, split_identifier(source.path.stem), is_name=True)
    match source.path.suffix:
        case ".py":
            yield from _python(source.text)
        case ".sql":
            yield from _sql(source.text)
        case _:
            yield from _markdown(source.text)


class _Search:
    """What is looked for in names, or in prose; compared by identity, so that it is hashed fast."""

    def __init__(self, patterns: Iterable[tuple[str, str | None]]) -> None:
        self.patterns = [(word, pattern) for word, pattern in patterns if pattern]
        # One expression for all takes a tenth of the time of one by one. The word boundary that
        # they all begin with is looked for once a character and not once a pattern.
        bodies = [pattern.removeprefix(_BOUNDARY) for _, pattern in self.patterns]
        self.any_of = re.compile(rf"{_BOUNDARY}(?:{'|'.join(bodies)})")


def _hits(source: Source, terms: tuple[Term, ...]) -> Iterator[Hit]:
    path = source.path.as_posix()
    names, prose = _searches(tuple(term for term in terms if searched(term, path)))
    for passage in passages(source):
        for word in _words_in(passage.text, names if passage.is_name else prose):
            yield Hit(word, path, passage.line, passage.text)


@lru_cache
def _searches(terms: tuple[Term, ...]) -> tuple[_Search, _Search]:
    return (
        _Search((term.word, term.names) for term in terms),
        _Search((term.word, term.prose) for term in terms),
    )


# Identifiers repeat: without the cache a whole tree takes several times as long.
@lru_cache(maxsize=200_000)
def _words_in(text: str, search: _Search) -> tuple[str, ...]:
    # Ordinary phrases are only ever removed: what is not there with them is not there without.
    if not search.any_of.search(text):
        return ()
    plain = without_ordinary(text)
    return tuple(word for word, pattern in search.patterns for _ in re.finditer(pattern, plain))


def _python(text: str) -> Iterator[Passage]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        match token.type:
            case tokenize.NAME if token.string not in FOREIGN_NAMES:
                yield Passage(line, split_identifier(token.string), is_name=True)
            case tokenize.COMMENT:
                yield Passage(line, token.string.lower(), is_name=False)
            case tokenize.STRING:
                yield from _string(line, token.string)
            case kind if kind == _TEXT_IN_FSTRING:
                yield Passage(line, token.string.lower(), is_name=False)


def _string(line: int, text: str) -> Iterator[Passage]:
    """Prose, or a name such as a log event, a metric or a column."""
    inner = text.strip("rbfuRBFU").strip("\"'")
    if _IDENTIFIER.fullmatch(inner):
        yield Passage(line, split_identifier(inner), is_name=True)
        return
    for offset, each in enumerate(_joined(inner)):
        yield Passage(line + offset, each, is_name=False)


def _sql(text: str) -> Iterator[Passage]:
    for number, line in enumerate(text.splitlines(), start=1):
        comment = _SQL_COMMENT.search(line)
        if comment:
            yield Passage(number, comment["text"].lower(), is_name=False)
        for match in _IDENTIFIER.finditer(_SQL_COMMENT.sub("", line)):
            yield Passage(number, split_identifier(match[0]), is_name=True)


def _markdown(text: str) -> Iterator[Passage]:
    in_code = False
    for number, line in enumerate(text.splitlines(), start=1):
        if _CODE_FENCE.match(line):
            in_code = not in_code
        elif not in_code:
            for code in _INLINE_CODE.findall(line):
                yield Passage(number, split_identifier(code), is_name=True)
            yield Passage(number, _INLINE_CODE.sub(" ", line).lower(), is_name=False)


def _joined(text: str) -> list[str]:
    return [line.lower() for line in text.splitlines()]
