"""Versions as folders of other tools, and back: Hugging Face's, and MLflow's model format.

Both hold the version's files unchanged, so that what is imported again has the digest that it had.
`archon_version.json` beside them says which version it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import fsspec

from archon_contracts.formats import MANIFEST_FILE, SIGNATURE_FILE
from archon_contracts.formats.manifest import (
    ManifestInvalid,
    build_manifest,
    check_folder,
    list_files,
)
from deploy.exports.errors import ExchangeError

VERSION_FILE: Final = "archon_version.json"
CARD_PAGE: Final = "README.md"
MLMODEL_FILE: Final = "MLmodel"
MLFLOW_DATA: Final = "data"
LOADER_MODULE: Final = "archon_inference.flavors.python_function"
OURS: Final = (VERSION_FILE, CARD_PAGE)
"""What stands beside the version's own files."""


def fetch_model(uri: str, digest: str, folder: Path) -> None:
    """Copy a version's files into a new folder, and check every byte; manifest and signature too.

    Raises:
        ExchangeError: the folder is there already, or the files are not those of the digest.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ExchangeError(f"{folder} is not empty; name a new folder with --to")
    files, path = fsspec.core.url_to_fs(uri)
    if not files.exists(f"{path}/{MANIFEST_FILE}"):
        raise ExchangeError(f"no artifact is at {uri}; run this where the artifact store is")
    folder.mkdir(parents=True, exist_ok=True)
    files.get(f"{path.rstrip('/')}/", f"{folder}/", recursive=True)
    try:
        check_folder(folder, digest)
    except ManifestInvalid as error:
        raise ExchangeError(f"the artifact at {uri} is damaged: {error}") from error


def write_hugging_face(model: Mapping[str, Any], card: str, folder: Path) -> Path:
    """A folder that transformers loads and the hub shows: the files, and the card as README.md."""
    fetch_model(model["uri"], model["digest"], folder)
    for name in (MANIFEST_FILE, SIGNATURE_FILE):
        (folder / name).unlink(missing_ok=True)
    (folder / CARD_PAGE).write_text(card)
    (folder / VERSION_FILE).write_text(_describe(model))
    return folder


def write_mlflow_model(model: Mapping[str, Any], card: str, folder: Path) -> Path:
    """A model of MLflow with the python_function flavor; `LOADER_MODULE` loads it."""
    fetch_model(model["uri"], model["digest"], folder / MLFLOW_DATA)
    for name in (MANIFEST_FILE, SIGNATURE_FILE):
        (folder / MLFLOW_DATA / name).unlink(missing_ok=True)
    (folder / CARD_PAGE).write_text(card)
    (folder / VERSION_FILE).write_text(_describe(model))
    (folder / "requirements.txt").write_text("archon-inference\n")
    flavor = {
        "loader_module": LOADER_MODULE,
        "data": MLFLOW_DATA,
        "env": {"virtualenv": "python_env.yaml"},
    }
    (folder / "python_env.yaml").write_text(
        json.dumps({"python": "3.11", "dependencies": ["-r requirements.txt"]}) + "\n"
    )
    content = {
        "flavors": {"python_function": flavor},
        "model_uuid": model["digest"][:32],
        "utc_time_created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "metadata": {"archon_version": model["version"], "archon_digest": model["digest"]},
    }
    # JSON is YAML, so no library is needed to write it.
    (folder / MLMODEL_FILE).write_text(json.dumps(content, indent=2) + "\n")
    return folder


def read_model_folder(folder: Path, target: Path) -> dict[str, Any]:
    """Copy the model's own files of an exported folder to `target`; returns what it says it was.

    The files may have been changed since: the digest of what is there is `digest` in the answer,
    and `exported_digest` what it was.

    Raises:
        ExchangeError: it is no such folder, or holds no file of a model.
    """
    try:
        described = json.loads((folder / VERSION_FILE).read_text())
    except (FileNotFoundError, ValueError) as error:
        raise ExchangeError(
            f"{folder} has no readable {VERSION_FILE}: export a version with `archon models export`"
        ) from error
    source = folder / MLFLOW_DATA if (folder / MLMODEL_FILE).exists() else folder
    files = {
        name: path
        for name, path in list_files(source).items()
        if name not in OURS and not name.startswith(".git")
    }
    if not files:
        raise ExchangeError(f"{source} holds no file of a model")
    for name, path in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)
    digest = hashlib.sha256(build_manifest(files)).hexdigest()
    return {**described, "exported_digest": described.get("digest"), "digest": digest}


def _describe(model: Mapping[str, Any]) -> str:
    names = ("agent_id", "version", "digest", "kind", "model_id", "registered_at", "metrics")
    fields = {name: model.get(name) for name in names} | {"lineage": model.get("lineage")}
    return json.dumps(fields, indent=2) + "\n"
