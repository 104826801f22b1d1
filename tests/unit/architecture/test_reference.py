"""The generated reference tables are current."""

from tests import reference


def test_routes_and_settings_tables_are_current() -> None:
    assert reference.find_outdated() == [], "run: python -m tests.reference"


def test_every_route_names_the_scope_that_its_key_needs() -> None:
    operations = [
        each for path in reference.build_openapi()["paths"].values() for each in path.values()
    ]

    assert all(scope["ApiKey"] for each in operations for scope in each["security"])
