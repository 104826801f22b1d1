"""Which answers that were rated wrong are believed."""

from archon_contracts.events import FeedbackSource
from archon_contracts.values import TrustPolicy
from services.data_prep.domain import Item, PreparationPolicy
from services.data_prep.trust.negatives import apply_trust_to_negatives
from services.data_prep.trust.rules import TrustResult
from tests.support.data.datasets import item
from tests.support.data.raters import make_request, memory


def denied(text: str, answer: str, unit: str = "ann") -> Item:
    """Somebody says that this answer was wrong."""
    return item(text, "", actual=answer, rejected=(answer,), unit=unit, submitted_by="key:1")


def believe(
    negatives: list[Item], accepted: list[Item] | None = None, **trust: bool
) -> TrustResult:
    return apply_trust_to_negatives(
        negatives, accepted or [], memory(), TrustPolicy(**trust), PreparationPolicy(), 0
    )


def test_a_rating_that_contradicts_what_is_known_is_quarantined() -> None:
    """Whoever denies right answers would else teach any other one."""
    lies = [denied(make_request("refund", n), "refund", f"u{n}") for n in range(8, 12)]

    result = believe(lies)

    assert result.items == []
    assert {each.reason for each in result.quarantined} == {"contradicted"}
    assert "was right" in result.quarantined[0].explanation


def test_a_rating_that_agrees_with_what_is_known_counts() -> None:
    honest = [denied(make_request("refund", n), "status", f"u{n}") for n in range(8, 12)]

    assert len(believe(honest).items) == 4


def test_a_rating_of_what_nothing_is_known_near_counts() -> None:
    assert len(believe([denied("open the garage door", "refund")]).items) == 1


def test_one_rater_alone_takes_no_answer_away_where_others_rate() -> None:
    places = ("garage", "kitchen", "cellar", "attic", "hall")
    lies = [denied(f"open the door of the {place}", "refund", "eve") for place in places]
    other = denied("sing me a song", "status", "ann"), denied("play some music", "status", "bob")

    result = believe([*lies, *other])

    assert {each.unit for each in result.items} == {"ann", "bob"}
    assert {each.reason for each in result.quarantined} == {"contested"}
    # Where nobody else rates there is nobody to ask, and a single rating is most honest users' way.
    assert len(believe(lies).items) == len(lies)
    assert len(believe([lies[0], *other]).items) == 3


def test_who_corrects_an_answer_calls_it_wrong_too() -> None:
    denials = [
        denied(f"open the door of the {place}", "refund", "eve") for place in ("hall", "attic")
    ]
    corrected = item("sing me a song", "status", actual="refund", unit="ann", submitted_by="key:1")

    assert len(believe(denials, [corrected]).items) == 2


def test_names_behind_a_second_key_are_one_rater_of_an_answer() -> None:
    places = ("garage", "kitchen", "cellar", "attic")
    lies = [
        item(text := f"open the door of the {place}", "", actual="refund", rejected=("refund",),
             unit=f"eve-{n}", submitted_by="key:2", id=text)
        for n, place in enumerate(places)
    ]  # fmt: skip
    honest = [denied(f"sing song number {n} {w}", "status", w) for n, w in enumerate("abcdefgh")]

    kept = believe([*lies, *honest]).items

    assert {each.actual for each in kept} == {"status"}


def test_of_one_rater_three_denials_of_an_answer_count() -> None:
    places = ("garage", "kitchen", "cellar", "attic", "hall")
    many = [denied(f"open the door of the {place}", "refund", "eve") for place in places]

    result = believe([*many, denied("sing me a song", "refund", "ann")])

    assert sorted(each.unit for each in result.items) == ["ann", "eve", "eve", "eve"]
    assert {each.reason for each in result.quarantined} == {"repeated"}


def test_one_rater_rates_no_more_than_its_limit_and_no_text_again_and_again() -> None:
    words = ("garage", "window", "kettle", "lamp", "door", "oven", "fan", "radio", "lock", "tap")
    many = [
        denied(f"{verb} the {word} of room {n}", "refund", "eve")
        for verb in ("open", "close", "mend", "clean")
        for n, word in enumerate(words)
    ]
    others = [denied(f"sing song number {n} {w}", "refund", w) for n, w in enumerate(words)]

    kept = believe([*many, *others]).items

    assert sum(each.unit == "eve" for each in kept) < len(many) / 2
    assert sum(each.unit != "eve" for each in kept) == len(others)


def test_where_somebody_said_the_right_answer_the_rating_adds_nothing() -> None:
    text = "open the garage door"

    result = believe([denied(text, "refund")], [item(text, "status")])

    assert (result.items, result.quarantined) == ([], ())


def test_without_trust_rules_every_rating_counts() -> None:
    lies = [denied(make_request("refund", n), "refund", f"u{n}") for n in range(8, 12)]

    assert len(believe(lies, enabled=False).items) == 4


def test_no_choice_of_words_puts_a_rating_before_others_under_a_cap() -> None:
    words = ("garage", "window", "kettle", "lamp", "door", "oven", "fan", "radio", "lock", "tap")
    mine, others = (
        [denied(f"{start} the {w} of room {n * 7919}", "refund", f"{start}{n}") for n, w in found]
        for start, found in (("aa", list(enumerate(words))), ("zz", list(enumerate(words))))
    )
    found_by_guardrail = [
        item(f"sing song number {n} {w}", "", actual="refund", rejected=("refund",))
        for n, w in enumerate(words)
    ]
    guarded = [
        each.model_copy(update={"feedback_source": FeedbackSource.GUARDRAIL})
        for each in found_by_guardrail
    ]
    trust = TrustPolicy(user_proportion=0.4, unit_floor=1)

    kept = apply_trust_to_negatives(
        [*mine, *others, *guarded], [], memory(), trust, PreparationPolicy(), 0
    ).items

    starts = [each.input[:2] for each in kept]
    assert starts.count("zz") > 0
    assert starts.count("aa") + starts.count("zz") < len(mine) + len(others)
