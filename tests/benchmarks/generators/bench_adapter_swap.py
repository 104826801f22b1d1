"""Seconds to swap a generator's version in a server: its adapter over the base model in memory.

Beside a reload of the whole folder, by the libraries alone: without the layers that a server keeps
in spare for the next version. Both check what they read against the manifest. SmolLM2-135M
with adapters of rank 16 on all linear layers; medians.
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from archon_contracts.formats import MANIFEST_FILE
from archon_contracts.formats.manifest import build_manifest, list_files
from archon_inference import VerifiedLoader
from archon_inference.card import ModelCard, write_card
from archon_inference.generation.causal_model import load_causal_model
from archon_inference.model_files import ADAPTER_FOLDER
from archon_inference.verification import verify_folder
from services.trainer.recipes.generators.adapter import copy_base_files, save_adapter
from tests.benchmarks.generators.small_language_model import BASE_MODEL, base_folder
from tests.benchmarks.harness import Figure, spread_of

SWAPS = 10
RELOADS = 3
TINY_MODEL = False
TINY = {"SWAPS": 2, "RELOADS": 1, "TINY_MODEL": True}
QUESTION = "Domain of this request: what is my balance"


def run() -> list[Figure]:
    """Time reloads, then swaps to versions that the server has not seen."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        versions = _write_versions(Path(name))
        reloads = [_reload(*versions[0]) for _ in range(RELOADS)]
        loader = VerifiedLoader()
        loader.load(*versions[0]).predict([QUESTION])
        swaps = [_seconds(loader, *version) for version in versions[1:]]
    return [
        Figure(
            name="reload over swap",
            figure=statistics.median(reloads) / statistics.median(swaps),
            unit="times",
            reach=10.0,
        ),
        Figure(
            name="seconds of a reload",
            figure=statistics.median(reloads),
            unit="s",
            spread=spread_of(reloads),
        ),
        Figure(
            name="seconds of a swap",
            figure=statistics.median(swaps),
            unit="s",
            spread=spread_of(swaps),
        ),
    ]


def _reload(folder: Path, digest: str) -> float:
    started = time.perf_counter()
    verify_folder(folder, digest)
    model, _ = load_causal_model(folder)
    PeftModel.from_pretrained(model, folder / ADAPTER_FOLDER).train(False)
    return time.perf_counter() - started


def _seconds(loader: VerifiedLoader, folder: Path, digest: str) -> float:
    """Until the version could answer. It does, so that the one before is not needed any more."""
    started = time.perf_counter()
    predictor = loader.load(folder, digest)
    seconds = time.perf_counter() - started
    predictor.predict([QUESTION])
    return seconds


def _write_versions(root: Path) -> list[tuple[Path, str]]:
    base = base_folder(root, tiny=TINY_MODEL)
    model, _ = load_causal_model(base)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, lora)
    card = ModelCard(
        format_version=4,
        kind="generator",
        base_model=BASE_MODEL,
        max_length=100,
        max_new_tokens=4,
        adapters=(ADAPTER_FOLDER,),
    )
    return [_write(adapted, base, root / f"version-{n}", card) for n in range(SWAPS + 1)]


def _write(model: PeftModel, base: Path, folder: Path, card: ModelCard) -> tuple[Path, str]:
    folder.mkdir()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    copy_base_files(base, folder)
    save_adapter(model, folder / ADAPTER_FOLDER, card.base_model)
    write_card(folder, card)
    manifest = build_manifest(list_files(folder))
    (folder / MANIFEST_FILE).write_bytes(manifest)
    return folder, hashlib.sha256(manifest).hexdigest()
