"""Distance to private records, and what an audit of a generation shows."""

import pytest

from services.synthetic_generator.domain import RejectionReason, Sample
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.selection import GenerationResources
from services.synthetic_generator.privacy_audit import CANARIES, audit
from services.synthetic_generator.quality.embedding import embed_by_signs
from services.synthetic_generator.quality.figures import measure
from services.synthetic_generator.quality.private_records import PrivateRecords
from tests.support.data.synthetic_generator import EXAMPLES, generation_request

RECORDS = (
    Sample("my neighbour in Bergen lost the keys of file 48213 on the ferry", "loss"),
    Sample("the invoice of the dentist came twice this year", "billing"),
)
THINGS = ("lamp", "tent", "radio", "coat", "kettle", "bike", "chair", "phone", "rug", "pan")
MANY = tuple(
    Sample(f"where is the {thing} that I ordered for {place}", "status")
    for thing in THINGS
    for place in ("Rome", "my aunt", "the office")
)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("my neighbour in Bergen lost the keys of file 48213 on a ferry", True),
        ("please look at 48213", True),
        (
            "so the invoice of the dentist came twice, and what am I to do about it now, friend",
            True,
        ),
        ("when does the museum open", False),
    ],
)
def test_what_is_near_a_record_or_repeats_it_is_found(text: str, near: bool) -> None:
    assert PrivateRecords(RECORDS, 0.3, embed_by_signs).find_near([text]) == [near]


def test_what_many_records_have_belongs_to_none_of_them() -> None:
    records = [Sample(f"{name} asks about order 48213", "x") for name in ("Ana", "Bo", "Cy")]

    assert PrivateRecords(records, 0.3, embed_by_signs).find_near(["and 48213?"]) == [False]


def test_a_distance_that_is_asked_for_holds_and_the_shortfall_is_stated() -> None:
    asked = generation_request(scenario_type="x", count=20, privacy_distance=0.4)

    result = generate(asked, EXAMPLES)

    assert result.rejections[RejectionReason.NEAR_PRIVATE_RECORD] > 0
    quality = measure(result.accepted, EXAMPLES, asked.diversity)
    assert quality is None or quality.privacy is None or quality.privacy.nearest >= 0.4 - 1e-6


def test_an_audit_finds_canaries_where_nothing_protects_them_and_none_where_something_does() -> (
    None
):
    found = {}
    for distance in (0.0, 0.3):
        asked = generation_request(
            scenario_type="x", count=200, diversity=0.0, privacy_distance=distance
        )
        quality = measure(generate(asked, MANY).accepted, MANY, asked.diversity)
        assert quality is not None
        assert quality.privacy is not None
        found[distance] = audit(asked, MANY, GenerationResources(), quality.privacy)

    assert [each.canaries for each in found.values()] == [CANARIES] * 2
    assert found[0.0].leaked_canaries > 0 == found[0.3].leaked_canaries
    assert found[0.0].membership_auc is not None
    assert found[0.0].membership_auc > 0.6


def test_an_audit_whose_time_is_over_leaves_the_figures_as_they_are() -> None:
    asked = generation_request(scenario_type="x", count=20, diversity=0.0)
    quality = measure(generate(asked, MANY).accepted, MANY, asked.diversity)
    assert quality is not None
    assert quality.privacy is not None

    assert audit(asked, MANY, GenerationResources(), quality.privacy, until=0.0) == quality.privacy
