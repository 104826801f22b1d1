"""From a model folder to a predictor. This is where torch is first imported.

What a model knows is fixed when it is trained; the profile of its agent is not. A label or tool
that was taken from the profile must not be answered until a version without it is there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from archon_contracts.pickles import pickles_in
from archon_inference.card import read_card
from archon_inference.devices import Precision
from archon_inference.errors import ModelFolderInvalid
from archon_inference.model_files import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from archon_inference.ports import Predictor
from archon_inference.prediction import Prediction

if TYPE_CHECKING:
    from torch import nn

    from archon_inference.classifier import Classifier
    from archon_inference.selector import Selector

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


class NoAnswer:
    """The predictor of a model none of whose answers is allowed."""

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        """An empty answer to each input."""
        return [Prediction("", 0.0) for _ in inputs]


def limit_answers(predictor: Predictor, allowed: Collection[str]) -> Predictor:
    """The predictor without the labels or tools that are not allowed; scores are of those left.

    A generator has no fixed answers and stays as it is. The given predictor is not changed.
    """
    # torch is there already: a predictor was loaded.
    from archon_inference.classifier import Classifier
    from archon_inference.selector import Selector

    names = set(allowed)
    if isinstance(predictor, Classifier):
        labels = predictor.card.labels
        kept = [place for place, label in enumerate(labels) if label in names]
        return _limit_classifier(predictor, kept) if len(kept) < len(labels) else predictor
    if isinstance(predictor, Selector):
        tools = predictor.catalogue.tools
        kept = [place for place, tool in enumerate(tools) if tool.name in names]
        return _limit_selector(predictor, kept) if len(kept) < len(tools) else predictor
    return predictor


def _limit_head(head: nn.Linear, kept: Sequence[int]) -> nn.Linear:
    """A head of these rows alone."""
    from torch import nn

    limited = nn.Linear(head.in_features, len(kept)).to(head.weight.device)
    limited.load_state_dict({name: rows[list(kept)] for name, rows in head.state_dict().items()})
    return limited


def _limit_classifier(classifier: Classifier, kept: Sequence[int]) -> Predictor:
    from archon_inference.classifier import Classifier

    if not kept:
        return NoAnswer()
    head = _limit_head(classifier.head, kept)
    labels = tuple(classifier.card.labels[place] for place in kept)
    card = classifier.card.model_copy(update={"labels": labels})
    return Classifier(classifier.encoder, card, head)


def _limit_selector(selector: Selector, kept: Sequence[int]) -> Predictor:
    from archon_inference.selector import EmbeddedCatalogue, Selector

    if not kept:
        return NoAnswer()
    catalogue = EmbeddedCatalogue(
        tuple(selector.catalogue.tools[place] for place in kept),
        selector.catalogue.vectors_CH[list(kept)],
    )
    head = None if selector.head is None else _limit_head(selector.head, kept)
    return Selector(selector.encoder, selector.card, catalogue, head)
