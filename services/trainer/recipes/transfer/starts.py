"""Other starts than the one that a transfer was given: random weights, and no training at all.

Shape suffixes: N texts, H hidden units, A answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoConfig, AutoModel, set_seed

from archon_contracts.values import AgentKind
from archon_inference.base_models import resolve_base_model
from archon_inference.encoder import TextEncoder
from archon_inference.model_files import SAFE_LOADING_OPTIONS
from services.trainer.closed_form.label_names import text_of_label
from services.trainer.items import TrainingItem, read_training_items
from services.trainer.recipes.generators.adapter import load_trainable
from services.trainer.recipes.run import TrainingRun
from services.trainer.recipes.selector import embed_run_catalogue
from services.trainer.recipes.warm_start import find_start


def write_random_model(run: TrainingRun[Any], folder: Path) -> Path:
    """The run's base model with weights as before any pretraining; its tokenizer stays."""
    base = resolve_base_model(run.base_model, run.cache_dir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in base.iterdir():
        if path.is_file() and path.suffix in (".json", ".txt", ".model"):
            shutil.copyfile(path, folder / path.name)
    set_seed(run.seed)
    config = AutoConfig.from_pretrained(base, **SAFE_LOADING_OPTIONS)
    model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]  # untyped there
    model.save_pretrained(folder)
    return folder


def answer_zero_shot(run: TrainingRun[Any], items: Sequence[TrainingItem]) -> list[bool]:
    """Which items the start answers right as it is.

    A classifier or selector by the answer whose words are nearest to the input, by cosine; a
    generator by what it writes.
    """
    inputs = [item.input for item in items]
    if run.kind is AgentKind.GENERATOR:
        answers = _write(run, inputs)
    else:
        names, answers_AH, encoder = _embed_answers(run)
        inputs_NH = normalize(encoder.embed(inputs, run.config.max_length), dim=-1)
        nearest_N = (inputs_NH @ answers_AH.T).argmax(-1)
        answers = [names[place] for place in nearest_N.tolist()]
    return [
        normal_answer(answer) == normal_answer(item.target)
        for answer, item in zip(answers, items, strict=True)
    ]


def _write(run: TrainingRun[Any], inputs: Sequence[str]) -> list[str]:
    start = run.model_copy(update={"warm_start_model": run.source_model})
    train, _ = read_training_items(run.dataset)
    generator = load_trainable(start, [item.target for item in train]).as_generator()
    generator.base.model.train(False)
    return [answer.output for answer in generator.predict(inputs, k=1)]


def _embed_answers(run: TrainingRun[Any]) -> tuple[list[str], Tensor, TextEncoder]:
    encoder = TextEncoder.load(find_start(run), 0, device=run.device)
    if run.kind is AgentKind.SELECTOR:
        catalogue = embed_run_catalogue(run)
        # Of the base model, as a selector's are whatever its encoder has learnt.
        return [tool.name for tool in catalogue.tools], catalogue.vectors_CH, encoder
    train, _ = read_training_items(run.dataset)
    labels = list(run.labels) or sorted({item.target for item in train})
    vectors_AH = encoder.embed([text_of_label(label) for label in labels], run.config.max_length)
    return labels, normalize(vectors_AH, dim=-1), encoder


def normal_answer(text: str) -> str:
    """As the evaluator compares generated texts: without case, by words."""
    return " ".join(text.casefold().split())
