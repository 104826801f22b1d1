"""`archon datasets`: what agents are trained on, how good it is, and what changed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.errors import CommandError
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import ago, console, print_json, shown, table
from deploy.cli.run_reports import announce, write_page
from deploy.cli.target import connect

group = typer.Typer(
    help="List datasets; show the quality of one, and what changed since another.",
    no_args_is_help=True,
)
Agent = Annotated[str, typer.Argument(help="Agent, such as tool-picker.")]
Version = Annotated[int, typer.Argument(min=1, help="Number of the dataset's version.")]
SHOWN_SUSPECTS = 10


@group.command("list", epilog=examples("archon datasets list", "archon datasets list --json"))
def list_datasets(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """List uploaded datasets and the newest versions that were prepared for agents."""
    with connect(url, api_key) as gateway:
        found = gateway.get("/v1/datasets")
    if as_json:
        print_json(found)
        return
    uploaded = (
        (each["name"], each["purpose"], each["items"], each["artifact"]["digest"][:12])
        for each in found["items"]
    )
    console.print(table("uploaded", ("name", "purpose", "items", "digest"), uploaded))
    prepared = (
        (
            each["agent_id"],
            each["dataset_version"],
            _describe_items(each["items"]),
            each["quality"].get("received"),
            ago(each["prepared_at"]),
            each["artifact"]["digest"][:12],
        )
        for each in found["prepared"]
    )
    columns = ("agent", "version", "items", "received", "prepared", "digest")
    console.print(table("prepared for agents", columns, prepared))


@group.command(
    epilog=examples(
        "archon datasets quality tool-picker 3",
        "archon datasets quality tool-picker 3 --page quality.html",
    )
)
def quality(
    agent: Agent,
    version: Version,
    page: Annotated[
        Path | None, typer.Option(help="Write the report here, as one HTML page.", dir_okay=False)
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show the quality report of a dataset version: balance, label errors, leakage, drift."""
    path = f"/v1/agents/{agent}/datasets/{version}/quality"
    with connect(url, api_key) as gateway:
        found = gateway.get(path)
        if page:
            write_page(gateway, f"{path}.html", page)
    if as_json:
        print_json(found)
        return
    console.print(table(f"quality of {agent} {version}", ("what", "figure"), _figures(found)))
    limits = (
        (x["name"], "holds" if x["passed"] else "broken", x["detail"]) for x in found["limits"]
    )
    if found["limits"]:
        console.print(table("limits of the data policy", ("limit", "", "figure"), limits))
    suspects = (found.get("label_errors") or {}).get("items", [])[:SHOWN_SUSPECTS]
    if suspects:
        rows = ((x["id"], x["input"][:60], x["label"], x["suggested"]) for x in suspects)
        columns = ("item", "input", "target", "others say")
        console.print(table("most suspect targets, worst first", columns, rows))
    if page:
        announce(page)


@group.command("compare", epilog=examples("archon datasets compare tool-picker 2 3"))
def compare(
    agent: Agent,
    before: Version,
    version: Version,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show what a dataset version added, removed, relabelled and moved since an earlier one."""
    path = f"/v1/agents/{agent}/datasets/{version}/changes"
    with connect(url, api_key) as gateway:
        found = gateway.get(path, since=before)
    if as_json:
        print_json(found)
        return
    names = ("items_before", "items", "added", "removed", "relabelled", "moved")
    rows = ((name.replace("_", " "), found[name]) for name in names)
    console.print(table(f"{agent}: dataset {before} to {version}", ("what", "items"), rows))
    changed = (
        (x["text"][:60], x["target_before"], x["target"], x["part_before"], x["part"])
        for x in found["examples"]
    )
    if found["examples"]:
        columns = ("input", "target before", "target", "part before", "part")
        console.print(table("relabelled or moved", columns, changed))


@group.command(
    "review",
    epilog=examples(
        "archon datasets review helpdesk 3",
        "archon datasets review helpdesk 3 --items 100 --votes 2",
    ),
)
def review(
    agent: Agent,
    version: Version,
    items: Annotated[int, typer.Option(min=1, max=200, help="Most suspect items to queue.")] = 50,
    votes: Annotated[int, typer.Option(min=1, max=20, help="Reviewers of each item.")] = 1,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Queue suspected targets, and items whose annotators disagree, for reviewers."""
    with connect(url, api_key) as gateway:
        found = gateway.get(f"/v1/agents/{agent}/datasets/{version}/quality")
        body = build_review_tasks(found, items) | {"votes": votes}
        if not body["items"]:
            raise CommandError(f"dataset {version} of {agent} has no suspected or disputed item.")
        answer = gateway.post(f"/v1/agents/{agent}/reviews", body)
    if as_json:
        print_json(answer)
        return
    console.print(
        f"[green]{shown(answer['tasks'])} items[/green] wait: archon reviews work {agent}"
    )


def build_review_tasks(quality: dict[str, Any], most: int) -> dict[str, Any]:
    """Tasks of the kind `label` from a quality report: disputed items first, then suspects.

    The choices are the labels that any of them could have.
    """
    disputed = (quality.get("annotators") or {}).get("disputed_items", [])
    suspects = (quality.get("label_errors") or {}).get("items", [])
    chosen = [(x["text"], list(x["labels"])) for x in disputed]
    chosen += [(x["input"], [x["label"], x["suggested"]]) for x in suspects]
    chosen = chosen[:most]
    return {
        "kind": "label",
        "items": [{"request": text, "answers": [labels[0]]} for text, labels in chosen],
        "labels": sorted({label for _, labels in chosen for label in labels}),
    }


def _describe_items(items: dict[str, int]) -> str:
    return ", ".join(f"{count} {part}" for part, count in items.items())


def _figures(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """The report's figures, and why the others are missing."""
    counts, unmeasured = found["counts"], found["unmeasured"]
    rows: list[tuple[str, Any]] = [
        ("items", _describe_items(found["items"])),
        ("received", counts["received"]),
        ("repeats, conflicts", f"{counts['duplicates']}, {counts['conflicting']}"),
        ("unusable, not trusted", f"{counts['unusable']}, {counts['quarantined']}"),
    ]
    if balance := found.get("balance"):
        largest = f"{balance['largest']!r} has {100 * balance['largest_proportion']:.1f} %"
        rows.append(("balance", f"{balance['targets']} targets, {largest}"))
        rows.append(("evenness of the targets", balance["evenness"]))
    if diversity := found.get("diversity"):
        rows.append(("distinct word pairs", diversity["distinct_2"]))
        rows.append(("Vendi score", f"{diversity['vendi_score']:.1f} of {diversity['sample']}"))
    if errors := found.get("label_errors"):
        part = f"{100 * errors['proportion']:.1f} % of {errors['checked']}"
        rows.append(("suspected targets", f"{errors['suspected']}; wrong by estimate: {part}"))
    personal, leakage = found["personal_data"], found["leakage"]
    rows.append(("items with personal data", personal["items"]))
    rows.append(("pairs alike across parts", f"{leakage['pairs']} of {leakage['compared']} inputs"))
    if drift := found.get("drift"):
        rows.append(("drift of targets", drift["target_stability"]))
        rows.append(("drift of texts", f"{drift['discrepancy']:.4f}, p = {drift['p_value']:.3f}"))
    if newest := found["freshness"].get("newest"):
        rows.append(("newest item", ago(newest)))
    rows += [(f"not measured: {shown(name)}", why) for name, why in unmeasured.items()]
    return rows
