"""Every settings class: secrets are secret, errors show no input, each field says what it is."""

import importlib
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from tests.support.sources import ROOT, product_files

# What a secret is called here; names of files, and of keys that are public, are no secrets.
SECRET_NAME = re.compile(r"password|secret|token|credential|database_url|api_key|signing_key|dsn")
MARKER = "MARKER-NOBODY-MAY-SEE"


def _settings_classes() -> list[type[BaseSettings]]:
    """Those that modules of the product define, wherever they are."""
    places = [p for p in product_files() if "Settings(" in p.read_text()]
    modules = [importlib.import_module(_module_of(path)) for path in places]
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, BaseSettings)
        and value.__module__ == module.__name__
    }
    return sorted(found, key=lambda c: f"{c.__module__}.{c.__name__}")


def _module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


CLASSES = _settings_classes()
each_class = pytest.mark.parametrize("settings", CLASSES, ids=lambda c: c.__module__)


def test_every_service_and_command_is_looked_at() -> None:
    modules = {settings.__module__ for settings in CLASSES}

    assert len([name for name in modules if name.startswith("services.")]) == 8
    assert {"shared.settings", "deploy.local.settings", "deploy.cli.target"} <= modules


@each_class
def test_secrets_are_of_a_type_that_does_not_show_them(settings: type[BaseSettings]) -> None:
    shown = [
        name
        for name, field in settings.model_fields.items()
        if SECRET_NAME.search(name) and "SecretStr" not in str(field.annotation)
    ]

    assert shown == []


@each_class
def test_errors_show_no_input_and_nothing_changes_later(settings: type[BaseSettings]) -> None:
    assert settings.model_config.get("hide_input_in_errors") is True
    assert settings.model_config.get("frozen") is True


@each_class
def test_the_text_of_settings_shows_no_secret(settings: type[BaseSettings]) -> None:
    secret = {
        name: SecretStr(MARKER)
        for name, field in settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }

    made = settings.model_construct(**secret)

    assert MARKER not in f"{made!r}{made}{made.model_dump()}{made.model_dump_json()}"


@each_class
def test_every_field_says_what_it_is(settings: type[BaseSettings]) -> None:
    # A service's own name needs no words.
    fields = {n: f for n, f in settings.model_fields.items() if n != "service"}

    assert [name for name, field in fields.items() if not field.description] == []
