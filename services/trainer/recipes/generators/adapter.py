"""What is trained of a generator: a low-rank adapter, beside a base model that stays as it is.

A version's folder holds the files of its base model, byte for byte, and the adapter in a folder of
its own. Nothing is merged, so that a server that has the base model reads the adapter alone.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D

from archon_contracts.formats import MANIFEST_FILE, SIGNATURE_FILE
from archon_inference.base_models import resolve_base_model
from archon_inference.card import CARD_FILE, ModelCard, write_card
from archon_inference.generation.causal_model import (
    UNREADABLE,
    CausalModel,
    first_line,
    load_causal_model,
    wrap_with_adapter,
)
from archon_inference.generator import Generator
from archon_inference.model_files import ADAPTER_FOLDER, WEIGHTS_FILE
from services.trainer.errors import RunInvalid
from services.trainer.recipes.run import GeneratorConfig, TrainingRun
from services.trainer.recipes.warm_start import read_warm_start_card

ADAPTER_NAME: Final = "default"
"""PEFT's own name of an adapter that is the only one."""
CARD_FORMAT: Final = 4

SHORTEST_ANSWER: Final = 8
ANSWER_MARGIN: Final = 1.5
"""Answers may become so many times as long as the longest that was shown, and so many tokens at
least: what is not ended by then is no answer of this agent, and each token costs a forward pass."""
MAXIMUM_NEW_TOKENS: Final = 1024

_COPIED_SUFFIXES: Final = frozenset({".json", ".txt", ".model", ".jinja"})
_OF_VERSION: Final = frozenset({CARD_FILE, MANIFEST_FILE, SIGNATURE_FILE})


@dataclass(frozen=True)
class TrainableGenerator:
    """A base model in memory with the adapter that is trained."""

    model: PeftModel
    tokenizer: PreTrainedTokenizerBase
    card: ModelCard
    base_folder: Path
    longest: int
    """Tokens of prompt and answer together that the model reads."""

    def as_generator(self) -> Generator:
        """As it will answer; the adapter works inside the layers of this very model."""
        base = cast("PreTrainedModel", self.model.get_base_model())
        return Generator(CausalModel(base, self.tokenizer), self.card)

    def save(self, folder: Path) -> None:
        """Write the version's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        copy_base_files(self.base_folder, folder)
        save_adapter(self.model, folder / ADAPTER_FOLDER, self.card.base_model)
        write_card(folder, self.card)


def load_trainable(run: TrainingRun[GeneratorConfig], answers: Sequence[str]) -> TrainableGenerator:
    """The run's base model with a new adapter, or with the one that its warm start has.

    `answers` are those that are right: how long they are decides when the model stops.

    Raises:
        RunInvalid: the warm start is of another base model, or has an adapter of another shape;
            or prompts and answers do not fit in the model's window.
        ModelFolderInvalid: the base model cannot be loaded.
    """
    before = read_warm_start_card(run)
    folder = run.warm_start_model or resolve_base_model(run.base_model, run.cache_dir)
    model, tokenizer = load_causal_model(folder, device=run.device)
    card, longest = _build_card(run, before, tokenizer, answers, _window(model))
    if before is not None and before.adapters:
        adapted = _load_adapter(run, model, folder / before.adapters[0])
    else:
        adapted = get_peft_model(model, _lora(run.config, model))
    return TrainableGenerator(adapted, tokenizer, card, folder, longest)


def _lora(config: GeneratorConfig, model: PreTrainedModel) -> LoraConfig:
    """Low-rank updates (Hu et al. 2021, LoRA) of all linear layers but the output's.

    All of them are as good as full fine-tuning on small data, and attention alone is not: Schulman
    et al. 2025, "LoRA Without Regret"; Dettmers et al. 2023, QLoRA, section 4.
    """
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha or 2 * config.lora_rank,
        lora_dropout=config.lora_dropout,
        use_dora=config.dora,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        # GPT-2's layers keep their weights the other way round.
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )


def _load_adapter(run: TrainingRun[GeneratorConfig], model: Any, folder: Path) -> PeftModel:
    try:
        adapted: PeftModel = wrap_with_adapter(model, folder, ADAPTER_NAME, is_trainable=True)
    except UNREADABLE as error:
        raise RunInvalid(
            f"The warm start's adapter cannot be loaded ({first_line(error)}): train from the "
            "base model with method supervised"
        ) from error
    known = cast("LoraConfig", adapted.peft_config[ADAPTER_NAME])
    if "lora_rank" in run.named and known.r != run.config.lora_rank:
        raise RunInvalid(
            f"The warm start's adapter has rank {known.r} and goes on with it: leave lora_rank "
            f"{run.config.lora_rank} out, or train from the base model with method supervised"
        )
    return adapted


def _build_card(
    run: TrainingRun[GeneratorConfig],
    before: ModelCard | None,
    tokenizer: PreTrainedTokenizerBase,
    answers: Sequence[str],
    window: int,
) -> tuple[ModelCard, int]:
    """The version's card, and the tokens of prompt and answer together."""
    earlier = before.max_new_tokens if before is not None and before.adapters else 0
    new_tokens = run.config.max_new_tokens or max(earlier, measure_answers(tokenizer, answers))
    longest = min(run.config.max_length, window)
    prompt = min(run.config.max_length, window - new_tokens)
    if prompt < SHORTEST_ANSWER:
        raise RunInvalid(
            f"The model's window of {window} tokens leaves none for a prompt beside answers of "
            f"{new_tokens}: lower max_new_tokens, or name a base model with a longer window"
        )
    lines = all("\n" not in answer for answer in answers)
    card = ModelCard(
        format_version=CARD_FORMAT,
        kind="generator",
        base_model=run.base_model,
        max_length=prompt,
        max_new_tokens=new_tokens,
        stop_at_line_end=lines and (before is None or before.stop_at_line_end),
        adapters=(ADAPTER_FOLDER,),
    )
    return card, longest


def measure_answers(tokenizer: PreTrainedTokenizerBase, answers: Sequence[str]) -> int:
    """Tokens that an answer may have: those of the longest shown one and its end, and a margin."""
    texts = list(dict.fromkeys(answers))
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    most = max((len(ids) for ids in encoded), default=0) + 1
    return min(MAXIMUM_NEW_TOKENS, max(SHORTEST_ANSWER, math.ceil(ANSWER_MARGIN * most)))


def _window(model: Any) -> int:
    """Positions that the model knows; without a limit of its own, as many as a card may name."""
    stated = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(stated or 8192)


def copy_base_files(source: Path, folder: Path) -> None:
    """The files that loading the base model reads; pickles and whatever else lies there stay."""
    for path in sorted(source.iterdir()):
        is_read = path.name == WEIGHTS_FILE or path.suffix in _COPIED_SUFFIXES
        if is_read and path.is_file() and path.name not in _OF_VERSION:
            shutil.copyfile(path, folder / path.name)


def save_adapter(model: PeftModel, folder: Path, base_model: str) -> None:
    """Write the adapter in PEFT's format, equal bytes for equal weights."""
    model.peft_config[ADAPTER_NAME].base_model_name_or_path = base_model
    model.save_pretrained(
        str(folder), selected_adapters=[ADAPTER_NAME], save_embedding_layers=False
    )
    (folder / "README.md").unlink(missing_ok=True)  # a form to be filled in by hand
    # The library lists sets, whose order differs between processes.
    path = folder / "adapter_config.json"
    stated = json.loads(path.read_bytes())
    ordered = {
        name: sorted(value) if isinstance(value, list) else value for name, value in stated.items()
    }
    path.write_text(json.dumps(ordered, indent=2, sort_keys=True) + "\n")
