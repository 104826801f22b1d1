"""Verified model folders as predictors; what is in memory already is not read again.

Versions of the fast path differ in their head alone. Loading the encoder's 90 MB takes most of a
second, so an encoder in memory is used again where the manifest states the same hashes for its
files. The folder is checked byte for byte all the same, which takes 0.1 s: an artifact that was
changed on its way is refused, whichever of its files it is.

Versions of a generator differ in their adapter, beside a base model of hundreds of megabytes. Where
that is in memory, it was checked when it was read, and the manifest states the same hashes: only
the files of the version itself are read and checked.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archon_contracts.formats.manifest import FileEntry
from archon_inference.card import CARD_FILE, read_card
from archon_inference.catalogue import CATALOGUE_FILE, EMBEDDINGS_FILE
from archon_inference.devices import Precision
from archon_inference.loading import load_predictor
from archon_inference.model_files import ADAPTER_FOLDER, HEAD_FILE
from archon_inference.ports import Predictor
from archon_inference.verification import (
    read_verified_manifest,
    verify_files,
    verify_folder,
)

if TYPE_CHECKING:
    from archon_inference.encoder import TextEncoder
    from archon_inference.generation.causal_model import CausalModel

VERSION_FILES: Final = frozenset(
    {
        CARD_FILE,
        CATALOGUE_FILE,
        EMBEDDINGS_FILE,
        HEAD_FILE,
        "statistics.safetensors",
        "learnt.safetensors",
    }
)
"""Files that are a version's own, beside those of a generator's adapter; all others are those of
its encoder or base model."""


class VerifiedLoader:
    """Keeps the encoders that were used last; not safe for use by several threads at once."""

    def __init__(
        self,
        *,
        trusted_keys: Iterable[str] = (),
        threads: int = 1,
        device: str = "cpu",
        precision: Precision = "float32",
        capacity: int = 1,
    ) -> None:
        self._trusted_keys = [key for key in trusted_keys if key]
        self._threads = threads
        self._device = device
        self._precision: Precision = precision
        # An encoder of MiniLM's size takes 90 MB, so few are kept.
        self._capacity = capacity
        self._encoders: OrderedDict[str, TextEncoder] = OrderedDict()
        self._causal_models: OrderedDict[str, CausalModel] = OrderedDict()

    def load(self, folder: Path, digest: str) -> Predictor:
        """The model in `folder`, whose manifest hashes to `digest`.

        Raises:
            ModelFolderInvalid: it is not what its digest says, not of a trusted maker, or lacks a
                file.
        """
        entries = read_verified_manifest(folder, digest, trusted_keys=self._trusted_keys)
        key = encoder_key(entries)
        if (base := self._causal_models.get(key)) is not None:
            self._causal_models.move_to_end(key)
            verify_files(folder, entries, filter(is_of_version, entries))
            return self._over_base(folder, base)
        verify_folder(folder, digest, trusted_keys=self._trusted_keys)
        card, encoder = read_card(folder), self._encoders.get(key)
        # Its lower layers were cut off where the card of the version it was loaded with said.
        if encoder is None or encoder.frozen_layers != card.frozen_layers:
            return self._load_whole(folder, key)
        from archon_inference.classifier import Classifier
        from archon_inference.selector import Selector

        self._encoders.move_to_end(key)
        kind = Selector if card.kind == "selector" else Classifier
        return kind.from_encoder(folder, card, encoder)

    def _over_base(self, folder: Path, base: CausalModel) -> Predictor:
        from archon_inference.generator import Generator

        return Generator.from_base(folder, read_card(folder), base)

    def _load_whole(self, folder: Path, key: str) -> Predictor:
        from archon_inference.classifier import Classifier
        from archon_inference.generator import Generator
        from archon_inference.selector import Selector

        predictor = load_predictor(
            folder, threads=self._threads, device=self._device, precision=self._precision
        )
        if isinstance(predictor, Classifier | Selector):
            self._encoders[key] = predictor.encoder
            while len(self._encoders) > self._capacity:
                self._encoders.popitem(last=False)
        if isinstance(predictor, Generator):
            self._causal_models[key] = predictor.base
            while len(self._causal_models) > self._capacity:
                self._causal_models.popitem(last=False)
        return predictor


def is_of_version(name: str) -> bool:
    """Whether a file of a model folder may differ between versions of one encoder or base model."""
    return name in VERSION_FILES or name.startswith(f"{ADAPTER_FOLDER}/")


def encoder_key(entries: Mapping[str, FileEntry]) -> str:
    """Equal for folders of models whose encoder, or base model, and tokenizer are equal byte for
    byte."""
    own = {name: entry["sha256"] for name, entry in entries.items() if not is_of_version(name)}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
