"""Items made of examples in other languages, and of classes that a detail decides."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given

from services.synthetic_generator.domain import GenerationRequest, RejectionReason, Sample
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.adversarial import make_adversarial
from services.synthetic_generator.quality.diversity import DiverseCollection, similarity_limit
from services.synthetic_generator.quality.neighbours import ExampleNeighbours
from tests.support.data.synthetic_generator import generation_request, generation_requests

GERMAN = [
    Sample("Ich habe meine Lieferung verloren, wo ist sie?", "delivery"),
    Sample("Wann kommt meine Lieferung 12 an? Ich warte.", "delivery"),
    Sample("Die Lieferung ist noch nicht da.", "delivery"),
    Sample("Ich habe meine Rechnung verloren.", "invoice"),
    Sample("Die Rechnung 34 ist falsch. Bitte korrigieren.", "invoice"),
    Sample("Wo finde ich meine Rechnung?", "invoice"),
]
CHINESE = [
    Sample("我的包裹在哪里\uff1f请告诉我。", "delivery"),
    Sample("包裹还没有到。什么时候到\uff1f", "delivery"),
    Sample("我的发票丢了。请再发一次。", "invoice"),
    Sample("发票金额不对。请修改。", "invoice"),
]
ARABIC = [
    Sample("أين طردي؟ لم يصل بعد.", "delivery"),
    Sample("متى يصل الطرد؟ أنا أنتظر.", "delivery"),
    Sample("الفاتورة خاطئة. أرجو تصحيحها.", "invoice"),
    Sample("أحتاج إلى فاتورة. أرسلها لي.", "invoice"),
]
NAMES_OF_CLASSES = {"delivery": "Lieferung", "invoice": "Rechnung"}
ENGLISH = re.compile(
    r"(?i)\b(please|thank|hello|kindly|could you|would like|appreciated|cheers|"
    r"i do not mean|ignore|somebody|treat|repeat|instructions)\b"
)


@pytest.mark.parametrize("examples", [GERMAN, CHINESE, ARABIC])
@given(asked=generation_requests())
def test_no_english_phrase_stands_around_another_language(
    examples: list[Sample], asked: GenerationRequest
) -> None:
    made = generate(asked, examples)

    assert not any(ENGLISH.search(each.sample.input) for each in made.accepted)
    missing = asked.count - len(made.accepted)
    assert made.rejections[RejectionReason.LANGUAGE] == missing


@given(asked=generation_requests())
def test_german_nouns_do_not_move_between_answers(asked: GenerationRequest) -> None:
    for each in generate(asked, GERMAN).accepted:
        others = {name for target, name in NAMES_OF_CLASSES.items() if target != each.sample.target}
        assert not any(name.lower() in each.sample.input.lower() for name in others)


@given(asked=generation_requests())
def test_a_detail_that_decides_the_answer_stays_with_it(asked: GenerationRequest) -> None:
    examples = [
        Sample(f"my plan costs {amount} and I use the {name} every day", target)
        for target, name, amounts in (
            ("basic", "Kestrel", (9, 10, 11)),
            ("premium", "Falcon", (49, 50, 51)),
        )
        for amount in amounts
    ]
    foreign = {"basic": {"falcon", "49", "50", "51"}, "premium": {"kestrel", "9", "10", "11"}}

    plain = replace(asked, edge_cases=False)  # edge cases name the other answer to mislead
    for each in generate(plain, examples).accepted:
        assert foreign[each.sample.target].isdisjoint(each.sample.input.lower().split())


def test_a_text_nearer_to_an_example_of_another_answer_is_turned_down() -> None:
    neighbours = ExampleNeighbours(
        [
            Sample("cancel my order for shoes", "cancel"),
            Sample("return my order of shoes", "return"),
        ]
    )

    assert neighbours.agree(Sample("cancel my order for boots", "cancel"))
    assert not neighbours.agree(Sample("return my order of boots", "cancel"))
    assert neighbours.agree(Sample("words that nobody used", "cancel"))


def test_diversity_limits_what_chinese_texts_may_share() -> None:
    collection = DiverseCollection(similarity_limit(1.0), 10)

    assert collection.add_if_diverse("我的包裹在哪里请告诉我")
    assert not collection.add_if_diverse("我的包裹在哪里请告诉他")
    assert collection.add_if_diverse("发票金额不对")


def test_chinese_items_are_made_as_far_as_they_can_be_and_the_rest_is_stated() -> None:
    made = generate(generation_request(count=500, edge_cases=True), CHINESE)

    assert 0 < len(made.accepted) < 500
    assert made.rejections[RejectionReason.LANGUAGE] == 500 - len(made.accepted)


def test_what_misleads_in_another_language_is_noise_alone() -> None:
    made = make_adversarial(GERMAN[0], [GERMAN[3]], random.Random(1), english=False)

    assert "Rechnung" not in made.input
