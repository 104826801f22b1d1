"""Forms of an agent's policies: fields made of the models that the API checks them by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from archon_contracts.values import AgentProfile
from services.gateway.http.numbers import read_number, read_whole_number
from services.gateway.requests import (
    StrictDataPolicy,
    StrictFastPathPolicy,
    StrictGatePolicy,
    StrictRolloutPolicy,
    StrictTriggerPolicy,
)

SECTIONS: Final[Mapping[str, tuple[str, type[BaseModel]]]] = {
    "trigger": ("Trigger", StrictTriggerPolicy),
    "data": ("Data", StrictDataPolicy),
    "gate": ("Gate", StrictGatePolicy),
    "fast_path": ("Fast path", StrictFastPathPolicy),
    "rollout": ("Rollout", StrictRolloutPolicy),
}
"""Parts of a profile that pages edit, each checked by the model of the API's body."""
NOT_EDITED: Final = frozenset({"requirements", "never_regress", "schedule"})
"""Made of many parts: they keep what they are, and the API sets them."""
YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class PolicyField:
    """One field of a form; with `choices` it is a selection, else a line of text."""

    name: str
    value: str
    description: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A field that gets another value, both as text."""

    name: str
    before: str
    after: str


def list_fields(
    section: str,
    profile: AgentProfile,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> list[PolicyField]:
    """The fields of a section with what is in force, or with what somebody typed."""
    current = getattr(profile, section)
    return [
        PolicyField(
            name=name,
            value=(typed or {}).get(name, _to_text(getattr(current, name))),
            description=field.description or "",
            choices=_choices(field),
            optional=_is_optional(field),
            error=(errors or {}).get(name, ""),
        )
        for name, field in SECTIONS[section][1].model_fields.items()
        if name not in NOT_EDITED
    ]


def read_policy(
    section: str, profile: AgentProfile, typed: Mapping[str, str]
) -> tuple[BaseModel | None, dict[str, str]]:
    """The policy that was typed, or for each field why it is none; "" names the whole of it."""
    model = SECTIONS[section][1]
    body = getattr(profile, section).model_dump(mode="json")
    body |= {
        name: _parse(field, typed[name])
        for name, field in model.model_fields.items()
        if name in typed and name not in NOT_EDITED
    }
    try:
        return model.model_validate(body), {}
    except ValidationError as error:
        found: dict[str, str] = {}
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            name = str(each["loc"][0]) if each["loc"] else ""
            found.setdefault(name, each["msg"].removeprefix("Value error, "))
        return None, found


def list_changes(section: str, profile: AgentProfile, policy: BaseModel) -> list[PolicyChange]:
    """What the policy changes, field by field."""
    current = getattr(profile, section)
    found = []
    for name in SECTIONS[section][1].model_fields:
        before, after = _to_text(getattr(current, name)), _to_text(getattr(policy, name))
        if before != after:
            found.append(PolicyChange(name, before or "none", after or "none"))
    return found


def with_policy(profile: AgentProfile, section: str, policy: BaseModel) -> AgentProfile:
    """The profile with this policy in place of its own."""
    # Of the contract's class, not of the stricter one that read it: equal profiles compare equal.
    kept = type(getattr(profile, section)).model_validate(policy.model_dump())
    return profile.model_copy(update={section: kept})


def _to_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return ", ".join(_to_text(each) for each in value)
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value)


def _parse(field: FieldInfo, text: str) -> object:
    """The JSON value that a text stands for; what is no number stays text, and is refused so."""
    text = text.strip()
    if not text and _is_optional(field):
        return None
    kind = _kind(field)
    if kind is bool and text in (YES, NO):
        return text == YES
    if isinstance(field.default, tuple):
        return [_number(part) for part in text.split(",") if part.strip()]
    return _number(text) if kind in (int, float) else text


def _number(text: str) -> object:
    text = text.strip()
    whole = read_whole_number(text)
    number = read_number(text) if whole is None else whole
    # Not as text: of 1_0 pydantic would make ten. A list is refused as no number.
    return [text] if number is None else number


def _choices(field: FieldInfo) -> tuple[str, ...]:
    kind = _kind(field)
    if kind is bool:
        return (YES, NO)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(each.value for each in kind)
    return ()


def _is_optional(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _kind(field: FieldInfo) -> Any:
    """The type behind an annotation, without its bounds and its None."""
    found: Any = field.annotation
    while True:
        if hasattr(found, "__metadata__"):
            found = get_args(found)[0]
        elif type(None) in get_args(found):
            found = next(each for each in get_args(found) if each is not type(None))
        else:
            return found
