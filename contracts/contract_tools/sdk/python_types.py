"""Pydantic models of the API's answers, from its OpenAPI document.

Enumerations become text and unknown fields are ignored, so that a client reads the answers of a
newer gateway.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any, Final

from contract_tools.sdk.api_schemas import (
    REFERENCE,
    Schema,
    references,
    response_schemas,
    without_null,
)

SCALARS: Final = {"integer": "int", "number": "float", "boolean": "bool", "null": "None"}
FORMATS: Final = {"uuid": "UUID", "date-time": "datetime", "date": "date"}
SUFFIXES: Final = ("View", "Response")
LINE: Final = 100
RENAMED: Final = {
    "JobResponse": "StartedJobInfo",
    "BenchmarkResponse": "StoredBenchmarksInfo",
    "Lineage": "LineageFactsInfo",
}
"""Names that would otherwise be those of another schema."""
BASE_MODULE: Final = "base"
PACKAGE: Final = "archon_contracts.client.sdk.answers"
WRITTEN_BY: Final = "Written by `python -m tests.reference` from the OpenAPI document; do not edit."


def build_python_types(document: Schema) -> dict[str, str]:
    """Text by module name: a model for each object that a successful answer holds.

    A module has the answers of one tag; what several tags use is in the first one's.
    """
    modules: dict[str, str] = {}
    homes: dict[str, str] = {}
    for tag, schemas in response_schemas(document).items():
        module = tag.replace(" ", "_")
        new = {name: each for name, each in schemas.items() if name not in homes}
        objects = [name for name, each in new.items() if _is_object(each) and not _is_page(name)]
        if objects:
            modules[module] = _write_module(tag, objects, document["components"]["schemas"], homes)
        homes |= dict.fromkeys(new, module)
    names = [class_name(name) for name in homes if not _is_page(name)]
    assert len(set(names)) == len(names), "two schemas would have one class name"
    return modules


def class_name(name: str) -> str:
    """The name of a schema's class: each ends with `Info`, since its plain name is a service's."""
    if name in RENAMED:
        return RENAMED[name]
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return f"{name}Info"


def _write_module(
    tag: str, names: list[str], schemas: dict[str, Any], homes: dict[str, str]
) -> str:
    classes = [_write_class(name, schemas[name], schemas) for name in names]
    body = "\n\n".join(classes)
    imported: dict[str, list[str]] = {BASE_MODULE: ["ApiAnswer"]}
    for needed in sorted({each for name in names for each in references(schemas[name])}):
        if needed in homes and _is_object(schemas[needed]):
            imported.setdefault(homes[needed], []).append(class_name(needed))
    lines = [
        f'"""Answers about {tag}.',
        "",
        WRITTEN_BY,
        '"""',
        "",
        "from __future__ import annotations",
        "",
    ]
    moments = [name for name in ("date", "datetime") if re.search(rf"\b{name}\b", body)]
    standard = [f"from datetime import {', '.join(moments)}"] if moments else []
    standard += ["from typing import Any"] if re.search(r"\bAny\b", body) else []
    standard += ["from uuid import UUID"] if "UUID" in body else []
    lines += [*standard, ""] if standard else []
    lines += ["from pydantic import Field", ""] if "Field(" in body else []
    lines += [_write_import(home, found) for home, found in sorted(imported.items())]
    return "\n".join([*lines, "", "", body])


def _write_import(home: str, names: list[str]) -> str:
    line = f"from {PACKAGE}.{home} import {', '.join(sorted(names))}"
    if len(line) <= LINE:
        return line
    inner = "".join(f"    {name},\n" for name in sorted(names))
    return f"from {PACKAGE}.{home} import (\n{inner})"


def _is_page(name: str) -> bool:
    return name.startswith("Page_")


def _is_object(schema: Schema) -> bool:
    return bool(schema.get("type") == "object" and "properties" in schema)


def _write_class(name: str, schema: Schema, schemas: dict[str, Schema]) -> str:
    lines = [f"class {class_name(name)}(ApiAnswer):", *_docstring(schema, name), ""]
    required = set(schema.get("required", ()))
    for field, each in schema["properties"].items():
        lines += _write_field(field, each, field in required, schemas)
    return "\n".join(lines) + "\n"


def _docstring(schema: Schema, name: str) -> list[str]:
    # Its first sentence says what it is; the rest is the service's own concern.
    text = schema.get("description", f"{name}.").split("\n\n")[0]
    wrapped = textwrap.wrap(f'"""{" ".join(text.split())}"""', LINE - 5)
    return [f"    {line}" for line in wrapped] if len(wrapped) == 1 else _long_docstring(text)


def _long_docstring(text: str) -> list[str]:
    lines = textwrap.wrap(" ".join(text.split()), LINE - 8)
    return [f'    """{lines[0]}', *(f"    {line}" for line in lines[1:]), '    """']


def _write_field(
    field: str, schema: Schema, is_required: bool, schemas: dict[str, Schema]
) -> list[str]:
    kept, nullable = without_null(schema)
    kind = " | ".join(dict.fromkeys(_python_type(part, schemas) for part in kept)) or "Any"
    nullable = (nullable or not is_required) and kind != "Any"
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field).lower()
    arguments = []
    if nullable:
        kind = f"{kind} | None"
    if nullable or kind == "Any":
        arguments.append("default=None")
    if name != field:
        arguments.append(f'alias="{field}"')
    description = " ".join(str(schema.get("description", "")).split())
    if description:
        arguments.append(f"description={_quoted(description)}")
    if not arguments:
        return [f"    {name}: {kind}"]
    if arguments == ["default=None"]:
        return [f"    {name}: {kind} = None"]
    line = f"    {name}: {kind} = Field({', '.join(arguments)})"
    if len(line) <= LINE:
        return [line]
    return _long_field(f"    {name}: {kind} = Field(", arguments)


def _long_field(start: str, arguments: list[str]) -> list[str]:
    joined = f"        {', '.join(arguments)}"
    if len(joined) <= LINE:
        return [start, joined, "    )"]
    lines = [start]
    for argument in arguments:
        line = f"        {argument},"
        lines += [line] if len(line) <= LINE else _long_text(argument)
    return [*lines, "    )"]


def _long_text(argument: str) -> list[str]:
    name, _, text = argument.partition("=")
    first = f"        {name}="
    # The quotes, the space at the end of a part, and the comma after the last one.
    room = LINE - 4
    words = textwrap.wrap(text[1:-1], room, initial_indent=first, subsequent_indent="        ")
    parts = [words[0].removeprefix(first), *(word.removeprefix("        ") for word in words[1:])]
    lines = [f'"{part} "' for part in parts[:-1]] + [f'"{parts[-1]}",']
    return [first + lines[0], *(f"        {line}" for line in lines[1:])]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _python_type(schema: Schema, schemas: dict[str, Schema]) -> str:
    if "$ref" in schema:
        return _referred(schema["$ref"].removeprefix(REFERENCE), schemas)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_python_type(part, schemas) for part in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "string" or "const" in schema or "enum" in schema:
        return FORMATS.get(schema.get("format", ""), "str")
    if kind == "array":
        return f"list[{_python_type(schema.get('items', {}), schemas)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        value = _python_type(values, schemas) if isinstance(values, dict) and values else "Any"
        return f"dict[str, {value}]"
    return SCALARS.get(str(kind), "Any")


def _referred(name: str, schemas: dict[str, Schema]) -> str:
    schema: Any = schemas[name]
    return class_name(name) if _is_object(schema) else _python_type(schema, schemas)
