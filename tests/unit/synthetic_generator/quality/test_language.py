"""Which texts are English, and what their words are."""

import pytest

from services.synthetic_generator.quality.language import is_english, split_words

GERMAN = ["Ich habe meine Lieferung verloren", "Die Rechnung ist falsch"]


@pytest.mark.parametrize(
    "texts",
    [
        ["where is my parcel", "I lost my invoice"],
        ["reset password", "cancel order"],
        ["a table at the Café Zürich please, for the four of us and the dog"],
        [],
    ],
)
def test_english_is_found(texts: list[str]) -> None:
    assert is_english(texts)


@pytest.mark.parametrize(
    "texts",
    [
        GERMAN,
        ["wo ist das Paket"],
        ["où est mon colis", "je veux annuler"],
        ["dónde está el paquete"],
        ["我的包裹在哪里"],
        ["أين طردي"],
        ["где моя посылка"],
        ["荷物はどこですか"],
    ],
)
def test_other_languages_are_not_taken_for_english(texts: list[str]) -> None:
    assert not is_english(texts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two words", ["two", "words"]),
        ("我的包裹 A7", ["我", "的", "包", "裹", "A7"]),
        ("أين طردي", ["أين", "طردي"]),
        ("", []),
    ],
)
def test_scripts_without_spaces_are_split_by_sign(text: str, words: list[str]) -> None:
    assert split_words(text) == words
