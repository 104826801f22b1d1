"""The generated files of the SDKs, and what each should hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from contract_tools.sdk.api_schemas import Schema
from contract_tools.sdk.python_types import build_python_types
from contract_tools.sdk.sync_client import build_sync_client
from contract_tools.sdk.typescript_types import build_typescript_types

TYPESCRIPT: Final = Path(__file__).parents[2] / "typescript"
SDK: Final = Path(__file__).parents[2] / "archon_contracts/client/sdk"


def build_sdk_files(document: Schema) -> dict[Path, str]:
    """Text by path, from the OpenAPI document and the asynchronous client."""
    types = build_python_types(document)
    files = {SDK / "answers" / f"{module}.py": text for module, text in types.items()}
    files |= {SDK / "synchronous" / name: text for name, text in build_sync_client(SDK).items()}
    types_file = TYPESCRIPT / "src/api.d.ts"
    return {**_format(files), types_file: build_typescript_types(document)}


def _format(files: Mapping[Path, str]) -> dict[Path, str]:
    """The files as the formatter writes them, all in one call."""
    with TemporaryDirectory(dir=SDK) as folder:
        places = {path: Path(folder) / f"{n}.py" for n, path in enumerate(files)}
        for path, place in places.items():
            place.write_text(files[path])
        # Beside the real files, so that the same configuration applies.
        for step in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
            subprocess.run([sys.executable, "-m", "ruff", *step, folder], check=True)
        return {path: place.read_text() for path, place in places.items()}
