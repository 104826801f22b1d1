"""A causal language model and its tokenizer, read once, and the adapters that are put beside it.

An adapter is some megabytes beside the hundreds of its base model. Versions of a generator differ
in their adapter alone, so a server keeps the base model and selects an adapter for each answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from archon_inference.devices import Precision
from archon_inference.errors import ModelFolderInvalid
from archon_inference.model_files import SAFE_LOADING_OPTIONS, quiet_loading

ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors")
_NONE_SELECTED: Final = ""
"""Adapters are in use, and which of them has to be said again."""
UNREADABLE: Final = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)
"""What the libraries raise where a file of a model folder is cut off or is not what it says."""


class CausalModel:
    """A base model in memory. Not safe for use by several threads but through `selected`."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._peft: Any = None
        self._selected: str | None = None
        self._numbers = 0
        self._unused: list[str] = []
        self._spare: list[str] = []
        # One thread answers while another puts the next version's adapter beside it.
        self._lock = threading.RLock()

    @classmethod
    def load(
        cls, folder: Path, *, device: str = "cpu", precision: Precision = "float32"
    ) -> CausalModel:
        """Load the base model in `folder`. Raises as `load_causal_model` does."""
        model, tokenizer = load_causal_model(folder, device=device, precision=precision)
        model.train(False)
        return cls(model, tokenizer)

    def put_adapter(self, folder: Path) -> str:
        """Put the adapter in `folder` beside the base model; returns the name it is selected by.

        The layers of an adapter that nobody answers with any more are filled with the new weights:
        adding two hundred layers takes a good part of a second. One set of them is kept in spare.

        Raises:
            ModelFolderInvalid: it is not an adapter of this base model.
        """
        require_adapter_files(folder)
        with self._lock:
            self._spare += self._unused
            self._unused = []
            try:
                name = self._fill_spare(folder) or self._add(folder)
            except UNREADABLE as error:
                raise ModelFolderInvalid(
                    f"{folder} is no adapter of this base model: {first_line(error)}; train the "
                    "version again, or deploy another one"
                ) from error
            return name

    def _add(self, folder: Path) -> str:
        """Load an adapter into layers of its own; of the first, the same layers in spare."""
        name = self._new_name()
        if self._peft is not None:
            self._peft.load_adapter(folder, adapter_name=name, is_trainable=False)
            self._peft.train(False)
            return name
        self._peft = wrap_with_adapter(self.model, folder, name)
        self._selected = name
        spare = self._new_name()
        self._peft.add_adapter(spare, self._peft.peft_config[name])
        self._spare.append(spare)
        self._peft.train(False)
        return name

    def _fill_spare(self, folder: Path) -> str | None:
        """The name of spare layers that now hold the adapter; None: it has another shape."""
        if not self._spare:
            return None
        from peft.utils.hotswap import hotswap_adapter

        name = self._spare[-1]
        if self._selected == name:  # it is about to change under its name
            self._selected = _NONE_SELECTED
        try:
            hotswap_adapter(self._peft, str(folder), name, torch_device=str(self.model.device))
        except ValueError:  # another rank, or other layers
            return None
        self._spare.pop()
        return name

    def _new_name(self) -> str:
        self._numbers += 1
        return f"adapter{self._numbers}"

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the adapters in memory."""
        return () if self._peft is None else tuple(self._peft.peft_config)

    def release_adapter(self, name: str) -> None:
        """Nobody answers with the adapter any more; the next one is put in its place.

        May be called from a finalizer, in any thread, so it takes no lock.
        """
        self._unused.append(name)

    @contextmanager
    def selected(self, adapter: str | None) -> Iterator[PreTrainedModel]:
        """The model as this adapter makes it, or without any, for the block's time."""
        with self._lock:
            if self._peft is not None and adapter != self._selected:
                if adapter is None:
                    self._peft.base_model.disable_adapter_layers()
                else:
                    if self._selected is None:
                        self._peft.base_model.enable_adapter_layers()
                    self._peft.set_adapter(adapter, inference_mode=True)
                self._selected = adapter
            yield self.model


def require_adapter_files(folder: Path) -> None:
    """Without its safetensors the library would look for a pickle of the same weights.

    Raises:
        ModelFolderInvalid: one of an adapter's files is missing.
    """
    missing = [name for name in ADAPTER_FILES if not (folder / name).is_file()]
    if missing:
        raise ModelFolderInvalid(f"the adapter {folder} lacks {', '.join(missing)}")


def load_causal_model(
    folder: Path, *, device: str = "cpu", precision: Precision = "float32"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Weights (a CPU has no fast path for less than float32) and a tokenizer that pads left.

    Raises:
        ModelFolderInvalid: a file cannot be read, or tokenizer and weights do not fit.
    """
    try:
        with quiet_loading():
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, precision),
                use_safetensors=True,
                **SAFE_LOADING_OPTIONS,
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, **SAFE_LOADING_OPTIONS)
    except UNREADABLE as error:
        raise ModelFolderInvalid(
            f"{folder} holds no causal language model that can be loaded: {first_line(error)}; "
            "put the files there anew"
        ) from error
    _check_tokenizer(model, tokenizer, folder)
    # A completion goes on from the last position, where padding on the right would stand.
    tokenizer.padding_side = "left"
    # Many decoders have none; what stands under the attention mask does not matter.
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config = _plain_decoding(model, tokenizer)
    nn.Module.to(model, device)  # in place; the library's own `to` has no types
    return model, tokenizer


def _check_tokenizer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    embedding = cast("Callable[[], nn.Embedding]", model.get_input_embeddings)()
    rows, tokens = embedding.weight.shape[0], len(tokenizer)
    if tokens > rows:
        raise ModelFolderInvalid(
            f"The tokenizer of {folder} has {tokens} tokens and its weights know {rows}: put the "
            "tokenizer there that belongs to the weights"
        )
    if tokenizer.eos_token_id is None:
        raise ModelFolderInvalid(
            f"The tokenizer of {folder} has no end token, so no answer would ever end: name its "
            "eos_token in tokenizer_config.json"
        )


def _plain_decoding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> GenerationConfig:
    """Greedy, and nothing else of what the base model's authors set, such as a sampling."""
    ends = read_end_tokens(model, tokenizer)
    return GenerationConfig(  # type: ignore[no-untyped-call]  # untyped there
        eos_token_id=sorted(ends),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )


def read_end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The tokens that end an answer: the tokenizer's, and those of the model's own settings."""
    stated = getattr(model.generation_config, "eos_token_id", None)
    listed = stated if isinstance(stated, list) else [stated]
    return {int(each) for each in (*listed, tokenizer.eos_token_id) if each is not None}


def wrap_with_adapter(
    model: PreTrainedModel, folder: Path, name: str, *, is_trainable: bool = False
) -> Any:
    """The model with the adapter in `folder`, as PEFT's own kind of model.

    Raises:
        ModelFolderInvalid: one of its files is missing, or PEFT is not installed.
        UNREADABLE: they cannot be read, or are of another base model.
    """
    require_adapter_files(folder)
    # Imported where an adapter is met first: other models do without it.
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ModelFolderInvalid(
            "This model has an adapter beside its base model: install the extra `adapters`"
        ) from error
    return PeftModel.from_pretrained(model, folder, adapter_name=name, is_trainable=is_trainable)


def first_line(error: BaseException) -> str:
    """What an error says first, without the rest of a library's explanation."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
