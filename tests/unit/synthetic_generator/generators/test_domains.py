"""Domain files and domains of packages."""

import random
import sys
from pathlib import Path

import pytest

from services.synthetic_generator.errors import DomainInvalid
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.grammar import Grammar
from services.synthetic_generator.generators.grammars import GRAMMARS, find_domain
from services.synthetic_generator.generators.selection import GenerationResources
from tests.support.data.synthetic_generator import generation_request

BAKERY = """
name: bakery
requests:
  order:
  - I want {bread}
  - {text: "Sell me {bread}", weight: 3}
  hours: ["When do you open on {day}?", "Are you open on {day}?"]
slots:
  bread: [rye, two rolls, a cake]
  day: [Monday, Friday, a holiday]
"""


def write(folder: Path, content: str) -> Path:
    (folder / "bakery.yaml").write_text(content)
    return folder


def test_a_file_of_the_folder_is_a_scenario(tmp_path: Path) -> None:
    resources = GenerationResources(domains=write(tmp_path, BAKERY))

    result = generate(
        generation_request(scenario_type="bakery", count=8, diversity=0.0), (), resources
    )

    assert {c.sample.target for c in result.accepted} == {"order", "hours"}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: bakery", "name: [", "cannot be read"),
        ("slots:", "slot:", "slot: Extra inputs"),
        ("weight: 3", "weight: 0", "requests.order.1.*greater than 0"),
        ("on {day}?", "on {date}?", "requests.hours uses the slot 'date'"),
        ("[rye, ", "['{bread} roll', ", "slots.bread holds itself"),
        ("[rye, two rolls, a cake]", "[]", "slots.bread is empty"),
        ("slots:", "forbid: [{day: [Sunday]}]\nslots:", "forbid.0.day names 'Sunday'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    folder = write(tmp_path, BAKERY.replace(old, new))

    with pytest.raises(DomainInvalid, match=problem):
        find_domain("bakery", folder)


def test_a_scenario_is_a_name_and_no_path(tmp_path: Path) -> None:
    write(tmp_path, BAKERY)
    (tmp_path / "inside").mkdir()

    assert find_domain("../bakery", tmp_path / "inside") is None


OWN = """
from services.synthetic_generator.domain import Candidate, Method, Sample

class Weather:
    targets = ("rain", "sun")
    is_english = True

    def generate(self, target, difficulty, rng):
        return Candidate(Sample(f"{target} in {rng.randrange(1000)} days", target), Method.TEMPLATE)

def fail():
    raise RuntimeError("no database")
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A distribution with one entry point, as pip leaves it."""
    info = folder / "weather-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weather\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[archon.synthetic_domains]\nweather = {value}\n")
    (folder / "own_weather.py").write_text(OWN)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "own_weather", raising=False)


def test_a_package_adds_a_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "own_weather:Weather")

    result = generate(generation_request(scenario_type="weather", count=10, diversity=0.0), ())

    assert {c.sample.target for c in result.accepted} == {"rain", "sun"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("own_weather:fail", "no database"),
        ("own_weather:OWN", "OWN"),
        ("builtins:dict", "is a dict; give a Grammar"),
    ],
)
def test_an_unusable_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    install(tmp_path, monkeypatch, value)

    with pytest.raises(DomainInvalid, match=problem):
        find_domain("weather")


def test_the_built_in_domains_never_meet_what_they_forbid() -> None:
    domain = GRAMMARS["customer-support"]
    assert isinstance(domain, Grammar)
    rule = domain.forbidden[0]

    assert domain.forbids({slot: set(values) for slot, values in rule.items()})
    assert not domain.forbids({slot: {random.Random(0).choice("xyz")} for slot in rule})
