"""Writes what is derived from the contracts: JSON Schemas, AsyncAPI document, catalogue table.

python -m contract_tools.documents            write them
python -m contract_tools.documents --check    fail when one is not current
python -m contract_tools.documents --release  also freeze the schemas as this release
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from archon_contracts.base import Contract
from archon_contracts.catalogue import CONTRACTS
from archon_contracts.topics import COMMAND_TOPICS, EVENT_TOPICS
from contract_tools.asyncapi import asyncapi_document, describe_retention, messages_on

RELEASE: Final = "0.1.0"
PACKAGE: Final = Path(__file__).parents[1] / "archon_contracts"
README: Final = PACKAGE.parent / "README.md"
RELEASED: Final = PACKAGE.parent / "released"
TABLE_START: Final = "<!-- catalogue: written by contract_tools.documents -->"
TABLE_END: Final = "<!-- end of catalogue -->"


def message_schema(contract: type[Contract]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a message body."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **contract.model_json_schema(),
    }


def schema_files(folder: Path) -> dict[Path, str]:
    """One file per message type and version."""
    return {
        folder / f"{contract.message_type()}.json": json.dumps(message_schema(contract), indent=2)
        + "\n"
        for contract in CONTRACTS
    }


def catalogue_table() -> str:
    """All messages as a table: topic, key, message, meaning."""
    lines = ["| topic (partitions, kept) | key | message | meaning |", "|---|---|---|---|"]
    for topic in EVENT_TOPICS + COMMAND_TOPICS:
        place = f"`{topic.name}` ({topic.partitions}, {describe_retention(topic)})"
        for contract in messages_on(topic):
            link = f"archon_contracts/schemas/{contract.message_type()}.json"
            meaning = (contract.__doc__ or "").strip()
            lines.append(
                f"| {place} | {contract.key_field} | [{contract.__name__}]({link}) | {meaning} |"
            )
            place = ""
    return "\n".join(lines)


def documents() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    asyncapi = yaml.safe_dump(
        asyncapi_document(RELEASE), sort_keys=False, width=100, allow_unicode=True
    )
    before, _, rest = README.read_text().partition(TABLE_START)
    _, _, after = rest.partition(TABLE_END)
    readme = f"{before}{TABLE_START}\n{catalogue_table()}\n{TABLE_END}{after}"
    return {
        **schema_files(PACKAGE / "schemas"),
        PACKAGE / "asyncapi.yaml": asyncapi,
        README: readme,
    }


def outdated() -> list[str]:
    """Generated files that are missing, changed by hand or left from a removed contract."""
    expected = documents()
    left_over = set((PACKAGE / "schemas").glob("*.json")) - set(expected)
    changed = {
        path for path, text in expected.items() if not path.exists() or path.read_text() != text
    }
    return sorted(str(path.relative_to(PACKAGE.parent)) for path in left_over | changed)


def write(files: dict[Path, str]) -> None:
    """Write the files, with their folders."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write or check what the contracts generate.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when outdated")
    parser.add_argument("--release", action="store_true", help="freeze the schemas as released")
    arguments = parser.parse_args()
    if arguments.check:
        stale = outdated()
        sys.stderr.writelines(f"not current: {path}\n" for path in stale)
        return 1 if stale else 0
    write(documents())
    if arguments.release:
        # By major and minor version: a patch release changes no schema.
        write(schema_files(RELEASED / f"v{RELEASE.rpartition('.')[0]}"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
