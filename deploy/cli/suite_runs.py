"""What `archon evaluate` does before it prints: find the agent, and run the suite on it."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archon_contracts.values import ArtifactRef
from deploy.cli.errors import CommandError, NotEvaluatedError
from deploy.cli.target import connect
from deploy.gateway_client import ApiError
from shared.artifacts.store import ArtifactStore
from shared.errors import ArchonError

if TYPE_CHECKING:
    from archon_contracts.formats import SuiteReport
    from services.evaluator.suites.grading.grader import Grader
    from services.evaluator.suites.ports import EvaluatedAgent
    from services.evaluator.suites.suite_model import Suite


@dataclass(frozen=True, slots=True)
class SuiteTarget:
    """What the command line says to ask."""

    agent: str
    model: str = ""
    threads: int = 1
    url: str | None = None
    api_key: str | None = None
    grader: str = ""
    grader_model: str = ""
    grader_replies: Path | None = None


def run_suite_file(path: Path, target: SuiteTarget) -> SuiteReport:
    """The report of a suite's file on an agent.

    Raises:
        NotEvaluatedError: the suite or the agent cannot be used; names the field and the fix.
    """
    try:
        from services.evaluator.metrics.discovery import find_metrics
        from services.evaluator.suites.running import run_suite
        from services.evaluator.suites.suite_file import load_suite
    except ImportError as error:
        raise NotEvaluatedError(
            f"archon evaluate needs {error.name}, of archon-training's extra 'evaluator'."
        ) from error
    try:
        suite, digest = load_suite(path)
        agent, has_classes = _find_agent(target, suite)
        grader = _build_grader(target, suite)
        report = run_suite(
            suite,
            agent,
            find_metrics(),
            digest=digest,
            has_classes=has_classes,
            grader=grader,
        )
        if grader is not None and target.grader_replies is not None:
            known = _read_replies(target.grader_replies) | grader.new
            target.grader_replies.write_text(json.dumps(known), encoding="utf-8")
        return report
    except (ArchonError, ApiError, CommandError) as error:
        raise NotEvaluatedError(str(error)) from error


def compare_with(report: SuiteReport, path: Path) -> SuiteReport:
    """The report with what moved since an earlier one.

    Raises:
        NotEvaluatedError: the file holds no report, or one of another suite.
    """
    from pydantic import ValidationError

    from archon_contracts.formats import SuiteReport
    from services.evaluator.suites.moves import add_moves

    try:
        before = SuiteReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise NotEvaluatedError(f"--before: {path} cannot be read: {error}.") from error
    except ValidationError as error:
        raise NotEvaluatedError(
            f"--before: {path} is no report; write one with `archon evaluate ... --json`."
        ) from error
    if before.suite != report.suite:
        raise NotEvaluatedError(f"--before: {path} is of suite {before.suite}, not {report.suite}.")
    return add_moves(report, before)


def _build_grader(target: SuiteTarget, suite: Suite) -> Grader | None:
    """The grader that is named; None where the suite wants none.

    Raises:
        NotEvaluatedError: the suite says how to grade and no grader is named, or the reverse.
    """
    if suite.grading is None and target.grader:
        raise NotEvaluatedError("--grader: the suite has no `grading`; add a rubric to it.")
    if suite.grading is None:
        return None
    if not target.grader:
        raise NotEvaluatedError(
            "The suite's answers are to be graded: name the endpoint of a model with --grader."
        )
    from services.evaluator.suites.grading.grader import Grader, build_endpoint

    key = os.environ.get("ARCHON_GRADER_API_KEY", "")
    endpoint = build_endpoint(target.grader, target.grader_model, key)
    return Grader(endpoint, _read_replies(target.grader_replies))


def _read_replies(path: Path | None) -> dict[str, str]:
    """What a grader replied before."""
    if path is None or not path.is_file():
        return {}
    try:
        known = json.loads(path.read_bytes())
    except ValueError as error:
        raise NotEvaluatedError(f"--grader-replies: {path} is no JSON: {error}.") from error
    if not isinstance(known, dict) or not all(isinstance(each, str) for each in known.values()):
        raise NotEvaluatedError(f"--grader-replies: {path} holds no object of texts.")
    return known


def _find_agent(target: SuiteTarget, suite: Suite) -> tuple[EvaluatedAgent, bool]:
    """The agent, and whether its answers are from a fixed set."""
    if target.agent.startswith(("http://", "https://")):
        return _build_endpoint(target, suite), suite.match == "exact"
    folder = Path(target.agent)
    if not folder.is_dir():
        if os.sep in target.agent:
            raise NotEvaluatedError(
                f"--agent: there is no folder {folder}; name an agent, a folder or a URL."
            )
        return _load(target.agent, asyncio.run(_fetch(target)), target.threads)
    return _load(str(folder), folder, target.threads)


def _build_endpoint(target: SuiteTarget, suite: Suite) -> EvaluatedAgent:
    from services.evaluator.suites.agents.endpoint_agent import Endpoint, EndpointAgent

    return EndpointAgent(
        Endpoint(
            url=target.agent,
            model=target.model,
            api_key=os.environ.get("ARCHON_AGENT_API_KEY", ""),
            system_prompt=suite.system_prompt,
            timeout_seconds=float(suite.timeout_seconds),
            concurrency=suite.concurrency,
        )
    )


def _load(name: str, folder: Path, threads: int) -> tuple[EvaluatedAgent, bool]:
    from archon_inference.card import read_card
    from archon_inference.errors import InferenceError
    from services.evaluator.suites.agents.model_agent import ModelAgent

    try:
        has_classes = read_card(folder).kind != "generator"
    except (InferenceError, OSError) as error:
        raise NotEvaluatedError(f"{name} cannot be loaded: {error}.") from error
    return ModelAgent.load(name, folder, threads=threads), has_classes


async def _fetch(target: SuiteTarget) -> Path:
    """The verified folder of an agent's deployed version, or of the one that is named."""
    agent, _, version = target.agent.partition("@")
    with connect(target.url, target.api_key) as gateway:
        if not version:
            version = gateway.get(f"/v1/agents/{agent}/deployed")["version"]
        found: dict[str, Any] = gateway.get(f"/v1/agents/{agent}/models/{version}")
    ref = ArtifactRef(uri=found["uri"], digest=found["digest"])
    store = ArtifactStore(ref.uri.rstrip("/").rsplit("/", 2)[0])
    return await store.fetch_model(ref)
