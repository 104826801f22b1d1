"""Limits on folders, protocols, class names and vocabulary; `python -m tests.house` shows them.

A limit above zero is what is still to be mended: it may fall and must not rise.
"""

from collections import Counter

import pytest

from tests.house.definitions import (
    class_homes,
    duplicate_protocols,
    protocols,
    training_item_models,
)
from tests.house.layout import modules_per_folder, sibling_cycles
from tests.house.source_tree import Source, modules, product_modules, read_tree
from tests.house.words import find_words
from tests.support.sources import ROOT

MODULES_PER_FOLDER = 16
ITEM_MODELS = ["contracts/archon_contracts/formats/items.py:TrainingItem"]
LIMITS: dict[str, int] = {
    "cycles": 0,
    "protocols elsewhere": 0,
    "protocols twice": 0,
    "class names": 0,
    "words": 0,
}


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return read_tree(ROOT)


def test_a_folder_holds_few_modules(sources: list[Source]) -> None:
    sizes = modules_per_folder(modules(sources))

    assert {name: size for name, size in sizes.items() if size > MODULES_PER_FOLDER} == {}


def test_siblings_do_not_import_each_other_in_a_cycle(sources: list[Source]) -> None:
    found = sibling_cycles(product_modules(sources))

    assert len(found) <= LIMITS["cycles"], found


def test_protocols_stand_in_ports_modules(sources: list[Source]) -> None:
    elsewhere = [
        f"{path}: {name}"
        for name, path in protocols(product_modules(sources))
        if path.name != "ports.py"
    ]

    assert len(elsewhere) <= LIMITS["protocols elsewhere"], "\n".join(elsewhere)


def test_a_service_states_a_protocol_once(sources: list[Source]) -> None:
    found = duplicate_protocols(product_modules(sources))

    assert len(found) <= LIMITS["protocols twice"], found


def test_a_class_name_has_one_meaning(sources: list[Source]) -> None:
    found = class_homes(modules(sources))

    assert len(found) <= LIMITS["class names"], found


def test_a_training_item_has_one_model(sources: list[Source]) -> None:
    assert training_item_models(product_modules(sources)) == ITEM_MODELS


def test_private_words_have_given_way_to_the_fields_terms(sources: list[Source]) -> None:
    hits = find_words(sources)
    places = "\n".join(f"{h.path}:{h.line}: {h.word}: {h.text.strip()}" for h in hits)

    assert len(hits) <= LIMITS["words"], f"{Counter(h.word for h in hits)}\n{places}"
