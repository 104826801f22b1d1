"""`archon models card`, `export`, `import` and `reproduce`."""

import asyncio
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer

from archon_contracts.values import ArtifactRef
from deploy.cli.errors import FAILED, CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, print_json, shown, table
from deploy.cli.target import connect, open_artifacts
from deploy.exports.errors import ExchangeError
from deploy.exports.model_card import render_model_card
from deploy.exports.model_folders import (
    read_model_folder,
    write_hugging_face,
    write_mlflow_model,
)
from deploy.gateway_client import GatewayClient
from shared.errors import ArchonError

Agent = Annotated[str, typer.Argument(help="Agent, such as tool-picker.")]
Version = Annotated[str, typer.Argument(help="Version, such as 1.1.0.")]
CARD = examples(
    "archon models card tool-picker 1.1.0", "archon models card tool-picker 1.1.0 --to MODEL.md"
)
EXPORT = examples(
    "archon models export tool-picker 1.1.0 --format huggingface --to tool-picker-1.1.0",
    "archon models export tool-picker 1.1.0 --format mlflow --to model",
)
IMPORT = examples("archon models import tool-picker ./tool-picker-1.1.0 --reason 'from staging'")
REPRODUCE = examples("archon models reproduce tool-picker 1.1.0")


class FolderFormat(StrEnum):
    """Formats of folders."""

    HUGGING_FACE = "huggingface"
    MLFLOW = "mlflow"


def card(
    agent: Agent,
    version: Version,
    to: Annotated[Path | None, typer.Option(help="File; absent: the terminal.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write the model card of a version: origin, data, metrics with intervals, limits."""
    with connect(url, api_key) as gateway:
        model, page = _read(gateway, agent, version)
    if to:
        to.write_text(page)
    if as_json:
        print_json({"agent": agent, "version": model["version"], "card": page})
    elif to:
        console.print(f"wrote {shown(to)}")
    else:
        print(page)


def export(
    agent: Agent,
    version: Version,
    to: Annotated[Path, typer.Option(help="New folder.")],
    folder_format: Annotated[
        FolderFormat, typer.Option("--format", help="Format of the folder.")
    ] = FolderFormat.HUGGING_FACE,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write a version as a folder of Hugging Face or MLflow; run where the artifact store is."""
    with connect(url, api_key) as gateway:
        model, page = _read(gateway, agent, version)
    try:
        match folder_format:
            case FolderFormat.HUGGING_FACE:
                written = write_hugging_face(model, page, to)
            case FolderFormat.MLFLOW:
                written = write_mlflow_model(model, page, to)
            case _:
                assert_never(folder_format)
    except ExchangeError as error:
        raise CommandError(f"{error}.") from error
    if as_json:
        print_json({"written": str(written), "digest": model["digest"]})
    else:
        console.print(f"wrote {shown(written)}")


def import_model(
    agent: Agent,
    folder: Annotated[Path, typer.Argument(help="A folder that `archon models export` wrote.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Give an exported model a version of the agent; run where the artifact store is.

    It is signed with the local trainer's key, and deployed by `archon models deploy` alone.
    """
    artifacts = open_artifacts()
    try:
        with tempfile.TemporaryDirectory(prefix="archon-import-") as temporary:
            described = read_model_folder(folder, Path(temporary))
            artifact = asyncio.run(artifacts.publish(Path(temporary)))
    except (ExchangeError, ArchonError) as error:
        raise CommandError(f"{error}.") from error
    changed = described["exported_digest"] not in (None, artifact.digest)
    source = f"{described.get('agent_id')} {described.get('version')}" + (
        ", changed" if changed else ""
    )
    body = {"artifact": artifact.model_dump(), "source": source, "reason": reason}
    with connect(url, api_key) as gateway:
        found = gateway.post(f"/v1/agents/{agent}/models", body)
    if as_json:
        print_json(found | {"digest": artifact.digest, "changed": changed})
        return
    console.print(f"importing {shown(source)} as a version of {shown(agent)}")
    if changed:
        console.print("[yellow]its files are not those that were exported[/yellow]")


def reproduce(
    agent: Agent,
    version: Version,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; absent: as the trainer's default.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Train a version again from its lineage and compare the digests; exit code 1: they differ.

    Run where the artifact store and the trainer's libraries are.
    """
    # Here: torch takes seconds, and no other command needs it.
    from deploy.reproduction import reproduce as run_again
    from services.trainer.child import run as train
    from services.trainer.closed_form.update import run as update
    from services.trainer.settings import Settings

    artifacts = open_artifacts()
    with connect(url, api_key) as gateway:
        model = gateway.get(f"/v1/agents/{agent}/models/{version}")
        parent = _parent(gateway, agent, model)
    default = Settings.model_fields["trainer_threads"].get_default(call_default_factory=True)
    try:
        found = asyncio.run(
            run_again(
                model, parent, artifacts, threads=threads or default, train=train, update=update
            )
        )
    except (ExchangeError, ArchonError) as error:
        raise CommandError(f"{error}.") from error
    if as_json:
        print_json(
            {
                "identical": found.is_identical,
                "expected": found.expected,
                "digest": found.digest,
                "seconds": found.seconds,
                "different_files": found.different_files,
                "different_libraries": found.different_libraries,
            }
        )
    else:
        rows = [("expected", found.expected), ("made again", found.digest)]
        console.print(table(f"{agent} {version}", ("digest", "sha256"), rows))
        outcome = "[green]identical[/green]" if found.is_identical else "[red]different[/red]"
        console.print(f"{outcome}, {found.seconds:.1f} s")
        for name in found.different_files:
            console.print(f"  {shown(name)} differs")
        for name, (then, now) in found.different_libraries.items():
            console.print(f"  {shown(name)} was {shown(then)} and is {shown(now)}")
    if not found.is_identical:
        raise typer.Exit(FAILED)


def _read(gateway: GatewayClient, agent: str, version: str) -> tuple[dict[str, Any], str]:
    path = f"/v1/agents/{agent}/models/{version}"
    model: dict[str, Any] = gateway.get(path)
    return model, render_model_card(model, gateway.get(f"{path}/lineage"))


def _parent(gateway: GatewayClient, agent: str, model: Mapping[str, Any]) -> ArtifactRef | None:
    """The version that the training went on from."""
    number = (model.get("lineage") or {}).get("parent_version")
    if number is None:
        return None
    parent = gateway.get(f"/v1/agents/{agent}/models/{number}")
    return ArtifactRef(uri=parent["uri"], digest=parent["digest"])
