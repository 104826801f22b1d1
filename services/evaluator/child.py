"""What the evaluator's child process does: answer, score, compare and decide.

The service imports this module for its names, so torch and scipy are imported inside functions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace

from archon_contracts import telemetry
from archon_contracts.commands import RunSummary
from archon_contracts.formats import (
    CHANGES_FILE,
    REFERENCE_FILE,
    REPLAY,
    TEST_FILE,
    EvaluationChanges,
    LineInvalid,
    PredictionRow,
    SuiteItem,
    TrainingItem,
    predictions_file,
    read_jsonl,
    to_jsonl,
)
from archon_contracts.metric_names import TOP_K
from archon_contracts.rules.normal_text import clean_text
from archon_contracts.rules.task_types import find_task_type
from archon_contracts.values import (
    ALL_NEW_LABELS,
    NEW_LABEL_PREFIX,
    REFERENCE_ITEMS,
    AgentKind,
    GatePolicy,
)
from archon_inference.devices import claim_device
from services.evaluator.domain import Role
from services.evaluator.errors import EmptySuite, SuiteInvalid
from services.evaluator.scoring.scorers import exact_match, text_match, top_k_match

if TYPE_CHECKING:
    from archon_inference import Prediction, Predictor

# What the fork server imports beforehand, so that scoring starts in well under a second.
FORK_SERVER_MODULES: Final = (
    "torch",
    "archon_inference.fork_server.lean_imports",  # before everything that imports transformers
    "transformers.models.bert.modeling_bert",
    "services.evaluator.scoring.suite_prediction",
    "services.evaluator.comparison.report",
    "services.evaluator.comparison.changes",
)

ENTRY: Final = "services.evaluator.child:run"
"""Names `run` to the child pool."""

# One request at a time is slow, hence few; of 20 the 6th and 15th value still bound the median.
TIMED_REQUESTS: Final = 20
FEWEST_TIMED: Final = 6
"""The smallest and the largest of six bound the median with 97 % confidence."""
TIMED_SECONDS: Final = 10.0
"""After which no further request is timed: one of a generator may take a second."""

Report = Callable[[dict[str, Any]], None]


def run(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Score the spec's models that have no predictions yet, and compare all of them.

    Raises:
        EmptySuite: there is no item to answer.
        Unscorable: no item has a right answer, or earlier predictions are of other items.
        InferenceError: a model cannot be loaded.
    """
    score_models(spec, report)
    return {"report": compare_models(spec)}


def score_models(spec: Mapping[str, Any], report: Report) -> dict[str, list[PredictionRow]]:
    """Write one file of predictions for each model that the spec locates.

    Raises:
        EmptySuite: there is no item to answer.
        InferenceError: a model cannot be loaded.
    """
    import torch

    from services.evaluator.scoring.suite_prediction import SuitePredictor, load_model

    spec = {**spec, "device": claim_device(str(spec.get("device", "cpu")))}
    # Left alone, torch would start a thread on each core of a machine that it shares.
    torch.set_num_threads(int(spec.get("threads", 1)))
    items, kind = read_exam_of(spec), AgentKind(spec["kind"])
    suite_predictor = SuitePredictor([item.input for item in items], TOP_K)
    tracer, scored = trace.get_tracer(__name__), {}
    models = dict(spec["models"])
    # Not a model's place, but who is loaded anyway and has the encoder.
    neighbours_by = models.pop(Role.NEAREST_NEIGHBOURS, None)
    for name, location in models.items():
        # The worker has put this model's predictions of an earlier evaluation into the folder.
        if location is None:
            continue
        attributes = {telemetry.MODEL_ROLE: name}
        with tracer.start_as_current_span(telemetry.SPAN_SCORE, attributes=attributes):
            model = load_model(name, location, spec)
            predictions = suite_predictor.predict(model)
            rows = score_predictions(items, predictions, kind, measure_latencies(model, items))
            write_predictions(Path(spec["output_dir"]), name, rows)
        scored[name] = rows
        report({"event": "scored", "model": name, "items": len(items)})
        if name == neighbours_by:
            attributes = {telemetry.MODEL_ROLE: Role.NEAREST_NEIGHBOURS.value}
            with tracer.start_as_current_span(telemetry.SPAN_SCORE, attributes=attributes):
                known = read_training_items(spec)
                found = suite_predictor.predict_by_neighbours(model, Path(location), known)
                if found is not None:
                    rows = score_predictions(items, found, kind)
                    write_predictions(Path(spec["output_dir"]), Role.NEAREST_NEIGHBOURS, rows)
    return scored


def compare_models(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The report on the candidate beside the spec's control, as JSON.

    Raises:
        Unscorable: no item has a right answer, or the models answered different items.
    """
    from services.evaluator.comparison.changes import build_changes
    from services.evaluator.comparison.report import build_evaluation_report

    folder, control = Path(spec["output_dir"]), Role(spec["control"])
    predictions = read_predictions(folder, control)
    policy = GatePolicy.model_validate(spec["gate"])
    minimum_reference_items = int(spec.get("minimum_reference_items", 0))
    changes = build_changes(
        predictions,
        control,
        policy,
        AgentKind(spec["kind"]),
        run=read_run_summary(spec),
        minimum_reference_items=minimum_reference_items,
        answers=spec.get("answers"),
    )
    write_changes(folder, changes)
    report = build_evaluation_report(
        predictions,
        control,
        policy,
        withdrawal=bool(spec.get("withdrawal")),
        minimum_reference_items=minimum_reference_items,
        recent=[list(read_jsonl(Path(path), PredictionRow)) for path in spec.get("recent", ())],
        answers=spec.get("answers"),
        taught=read_taught_answers(spec),
        run=read_run_summary(spec),
    )
    return report.model_dump(mode="json")


def read_predictions(folder: Path, control: Role) -> dict[Role, list[PredictionRow]]:
    """The predictions of all who answered, the candidate's and the control's first.

    Read from the files, so that new predictions and those of earlier evaluations are treated alike.
    """
    wanted = dict.fromkeys((Role.CANDIDATE, control, *Role))
    files = {role: folder / predictions_file(role) for role in wanted}
    return {
        role: list(read_jsonl(path, PredictionRow))
        for role, path in files.items()
        # The candidate and the control must be there.
        if role in (Role.CANDIDATE, control) or path.is_file()
    }


def read_suite(path: Path) -> list[SuiteItem]:
    """The items of a JSON-lines file.

    Raises:
        EmptySuite: it holds none.
        SuiteInvalid: a line is not an item.
    """
    try:
        items = list(read_jsonl(path, SuiteItem))
    except LineInvalid as error:
        raise SuiteInvalid(f"The evaluation suite cannot be read: {error}.") from error
    if not items:
        raise EmptySuite(f"{path.name} holds no item; nothing can be scored.")
    return items


def count_once(items: Sequence[SuiteItem]) -> list[SuiteItem]:
    """The items without those that ask and expect what an earlier one does.

    Fifty copies of two items are two pieces of evidence: counted as a hundred they make any
    difference significant.
    """
    first: dict[tuple[str, str], SuiteItem] = {}
    for item in items:
        first.setdefault((" ".join(clean_text(item.input).split()), item.target), item)
    return list(first.values())


def read_exam(path: Path, new_labels: Sequence[Path] = ()) -> list[SuiteItem]:
    """All items that the models answer: a suite's, or a dataset's test part and its reference set.

    Beside a suite stand the items of `new_labels` whose label it does not ask.

    Raises:
        EmptySuite, SuiteInvalid: see `read_suite`.
    """
    # Whoever wrote the items names their groups: none may pass for one of the system's own.
    items = [_without_own_group(item) for item in count_once(read_suite(path))]
    if path.name != TEST_FILE:
        return items + _read_new_labels(items, new_labels)
    reference = path.with_name(REFERENCE_FILE)
    if reference.is_file():
        # The group is all that a prediction row keeps of where its item came from.
        marked = {"group": REFERENCE_ITEMS}
        items += [item.model_copy(update=marked) for item in read_suite(reference)]
    return items


def read_exam_of(spec: Mapping[str, Any]) -> list[SuiteItem]:
    """The items of a spec. Raises as `read_exam` does."""
    return read_exam(Path(spec["items"]), [Path(each) for each in spec.get("new_labels", ())])


def _without_own_group(item: SuiteItem) -> SuiteItem:
    own = (REFERENCE_ITEMS, ALL_NEW_LABELS)
    is_own = item.group in own or item.group.startswith(NEW_LABEL_PREFIX)
    return item.model_copy(update={"group": ""}) if is_own else item


def _read_new_labels(suite: Sequence[SuiteItem], paths: Sequence[Path]) -> list[SuiteItem]:
    """Held-out items of labels that the suite does not ask, each label a group."""
    asked, taken = {item.target for item in suite}, {item.id for item in suite}
    found = count_once([item for path in paths for item in read_suite(path)])
    return [
        item.model_copy(update={"group": f"{NEW_LABEL_PREFIX}{item.target}"})
        for item in found
        # Equal ids would be compared with the wrong item.
        if item.target and item.target not in asked and item.id not in taken
    ]


def score_predictions(
    items: Sequence[SuiteItem],
    predictions: Sequence[Prediction],
    kind: AgentKind,
    latencies: Sequence[float] = (),
) -> list[PredictionRow]:
    """One row per item; the first `latencies` are those of the first items."""
    timed = [*latencies, *[None] * (len(items) - len(latencies))]
    return [
        _score(item, prediction, kind, latency)
        for item, prediction, latency in zip(items, predictions, timed, strict=True)
    ]


def measure_latencies(model: Predictor, items: Sequence[SuiteItem]) -> list[float]:
    """Seconds of the first items, each answered by itself as in production."""
    spent: list[float] = []
    for item in items[:TIMED_REQUESTS]:
        if len(spent) >= FEWEST_TIMED and sum(spent) > TIMED_SECONDS:
            break
        started = time.perf_counter()
        model.predict([item.input])
        spent.append(time.perf_counter() - started)
    return spent


def _score(
    item: SuiteItem, prediction: Prediction, kind: AgentKind, latency: float | None
) -> PredictionRow:
    # A generated text has no ranked alternatives: its accuracy at 5 is its accuracy.
    if kind is AgentKind.GENERATOR:
        first = among = text_match(prediction.output, item.target)
    else:
        first = exact_match(prediction.output, item.target)
        among = top_k_match((prediction.output, *prediction.alternatives), item.target)
    task_type = find_task_type(item.input, item.target)
    return PredictionRow(
        id=item.id,
        group=item.group,
        skill=item.skill or task_type,
        task_type=task_type,
        target=item.target,
        output=prediction.output,
        score=prediction.score,
        alternatives=prediction.alternatives,
        correct=first,
        correct_at_k=among,
        latency_seconds=latency,
    )


def read_taught_answers(spec: Mapping[str, Any]) -> set[str]:
    """The answers of the new items that the candidate was trained on; none where it is not said.

    Raises:
        SuiteInvalid: a line of the training items is not an item.
    """
    items = read_training_items(spec)
    return {item.target for item in items if item.target and item.source != REPLAY}


def read_training_items(spec: Mapping[str, Any]) -> list[TrainingItem]:
    """What the candidate was trained on; none where it is not said.

    Raises:
        SuiteInvalid: a line of the training items is not an item.
    """
    path = spec.get("trained_on")
    if path is None or not Path(path).is_file():
        return []
    try:
        return list(read_jsonl(Path(path), TrainingItem))
    except LineInvalid as error:
        raise SuiteInvalid(f"The training items cannot be read: {error}.") from error


def read_run_summary(spec: Mapping[str, Any]) -> RunSummary | None:
    """How the candidate was made, where the command says so."""
    run = spec.get("run")
    return None if run is None else RunSummary.model_validate(run)


def write_changes(folder: Path, changes: EvaluationChanges) -> None:
    """Keep what the candidate changed beside the predictions: both are published together."""
    (folder / CHANGES_FILE).write_text(changes.model_dump_json())


def write_predictions(folder: Path, name: str, rows: Iterable[PredictionRow]) -> None:
    """Keep one model's predictions where the comparison reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / predictions_file(name)).write_bytes(to_jsonl(rows))
