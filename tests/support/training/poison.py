"""Pickles that show when somebody unpickles them, in all the shapes that libraries look for."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

# Names under which transformers, peft and torch keep pickles.
NAMES = (
    "pytorch_model.bin",
    "adapter_model.bin",
    "training_args.bin",
    "optimizer.pt",
    "scheduler.pt",
    "scaler.pt",
    "rng_state.pth",
    "rng_state_0.pth",
    "tokenizer.pkl",
    "vocab.pickle",
    "model.ckpt",
    "state.joblib",
)


class Poison:
    """Unpickled, it leaves a file behind."""

    def __init__(self, witness: Path) -> None:
        self._witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._witness,)


def plain(witness: Path, *, protocol: int = 4) -> bytes:
    """A pickle as `pickle.dump` writes it."""
    return pickle.dumps(Poison(witness), protocol=protocol)


def saved_by_torch(witness: Path, path: Path) -> None:
    """An archive as `torch.save` writes it."""
    torch.save({"state": Poison(witness)}, path)
    assert zipfile.is_zipfile(path)


def plant(folder: Path, witness: Path) -> list[str]:
    """Put a pickle under every name that some library looks for; returns the names."""
    for name in NAMES:
        saved_by_torch(witness, folder / name)
    return list(NAMES)
