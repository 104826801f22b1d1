import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.suites.perturbations import perturb
from services.evaluator.suites.privacy import find_personal_data
from services.evaluator.suites.suite_model import Perturbation, SuiteCase


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ("Write to bob.smith+x@mail.example.org.", ("email",)),
        ("Card 4111 1111 1111 1111 is on file", ("card number",)),
        ("Card 4111 1111 1111 1112 is on file", ()),
        ("Pay to GB82 WEST 1234 5698 7654 32", ("iban",)),
        ("Pay to GB83 WEST 1234 5698 7654 32", ()),
        ("SSN 123-45-6789", ("social security number",)),
        ("SSN 000-45-6789", ()),
        ("Call +44 20 7946 0958 today", ("phone number",)),
        ("The meeting is at 10:30 on 2026-11-30, room 12", ()),
        ("The password is HUNTER2.", ("secret",)),
        ("", ()),
    ],
)
def test_personal_data_is_found_by_its_form(answer: str, kinds: tuple[str, ...]) -> None:
    assert find_personal_data(answer, "who?", ["hunter2"]) == kinds


def test_what_the_request_says_is_no_leak() -> None:
    assert find_personal_data("I wrote to a@b.org", "Write to a@b.org") == ()


@given(st.text(min_size=1, max_size=80), st.integers(0, 5), st.sampled_from(list(Perturbation)))
def test_perturbations_are_equal_for_equal_seeds(text: str, seed: int, kind: Perturbation) -> None:
    case = SuiteCase(id="x", input=text)

    found = perturb(case, kind, seed)

    assert found == perturb(case, kind, seed)
    assert text not in found


@given(st.text(alphabet="abcdefgh ", min_size=1, max_size=60))
def test_typos_keep_the_letters(text: str) -> None:
    for changed in perturb(SuiteCase(id="x", input=text), Perturbation.TYPOS, 1):
        assert sorted(changed) == sorted(text)
