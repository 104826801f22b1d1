"""From a model folder to a predictor. This is where torch is first imported."""

from __future__ import annotations

from pathlib import Path
from typing import Final, assert_never

from archon_contracts.pickles import pickles_in
from archon_inference.card import read_card
from archon_inference.devices import Precision
from archon_inference.errors import ModelFolderInvalid
from archon_inference.model_files import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from archon_inference.ports import Predictor

REQUIRED_FILES: Final = (WEIGHTS_FILE, CONFIG_FILE, TOKENIZER_FILE)


def load_predictor(
    folder: Path, *, threads: int = 1, device: str = "cpu", precision: Precision = "float32"
) -> Predictor:
    """Load the model in `folder`; predictions then use `threads` CPU threads.

    `device` is `cpu` or an accelerator such as `cuda:0`. `precision` is that of weights and
    activations; scores are always computed in float32.

    Raises:
        ModelFolderInvalid: a file is missing, is a pickle, or does not fit the others.
    """
    card = read_card(folder)
    if pickles := pickles_in(folder):
        raise ModelFolderInvalid(
            f"{folder} holds {', '.join(pickles)}: pickles run code when they are loaded, and "
            "models here are safetensors and JSON"
        )
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise ModelFolderInvalid(f"{folder} lacks {', '.join(missing)}")
    _limit_threads(threads)
    match card.kind:
        case "selector":
            from archon_inference.selector import Selector

            return Selector.load(folder, card, device=device, precision=precision)
        case "classifier":
            from archon_inference.classifier import Classifier

            return Classifier.load(folder, card, device=device, precision=precision)
        case "generator":
            from archon_inference.generator import Generator

            return Generator.load(folder, card, device=device, precision=precision)
        case _:
            assert_never(card.kind)


def _limit_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
