"""The settings of a process as a table for people: pure, and without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from services.gateway.settings import Settings

HIDDEN: Final = "set, not shown"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting: its environment variable, its value as text, and whether it is no default."""

    variable: str
    value: str
    changed: bool
    description: str


def describe_settings(settings: Settings) -> list[SettingRow]:
    """Every setting by the name of its variable."""
    prefix = settings.model_config.get("env_prefix", "")
    rows = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        rows.append(
            SettingRow(
                variable=f"{prefix}{name}".upper(),
                value=_show(value),
                changed=name in settings.model_fields_set and value != field.default,
                description=field.description or "",
            )
        )
    return sorted(rows, key=lambda row: row.variable)


def _show(value: object) -> str:
    """Nothing of a secret, nor of the password in an address."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if value is None:
        return "none"
    text = str(value)
    if urlsplit(text).password is not None:
        return HIDDEN
    return text if text else "empty"
