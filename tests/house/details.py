"""The places behind a figure, one line each."""

from collections.abc import Callable

from tests.house.definitions import (
    class_homes,
    duplicate_protocols,
    one_call_functions,
    protocols,
    training_item_models,
)
from tests.house.layout import modules_per_folder, sibling_cycles
from tests.house.source_tree import Source, modules, product_modules
from tests.house.words import find_words


def _words(sources: list[Source]) -> list[str]:
    return [f"{h.path}:{h.line}: {h.word}: {h.text.strip()}" for h in find_words(sources)]


def _classes(sources: list[Source]) -> list[str]:
    return [f"{name}: {', '.join(p)}" for name, p in class_homes(modules(sources)).items()]


def _protocols(sources: list[Source]) -> list[str]:
    return [f"{path}: {name}" for name, path in protocols(product_modules(sources))]


def _duplicates(sources: list[Source]) -> list[str]:
    found = duplicate_protocols(product_modules(sources))
    return [f"{key}: {', '.join(places)}" for key, places in found.items()]


def _folders(sources: list[Source]) -> list[str]:
    folders = modules_per_folder(modules(sources))
    return [f"{size:3} {name}" for name, size in sorted(folders.items(), key=lambda f: -f[1])]


def _cycles(sources: list[Source]) -> list[str]:
    return [" <-> ".join(group) for group in sibling_cycles(product_modules(sources))]


DETAILS: dict[str, Callable[[list[Source]], list[str]]] = {
    "words": _words,
    "classes": _classes,
    "protocols": _protocols,
    "duplicate-protocols": _duplicates,
    "folders": _folders,
    "cycles": _cycles,
    "items": lambda sources: training_item_models(product_modules(sources)),
    "one-call": lambda sources: one_call_functions(product_modules(sources)),
}
