"""Vectors of the texts that a version learnt, as they lie beside its weights.

The trainer writes them; whoever compares requests with training items reads them in place of
embedding each text again, which takes some 3 ms of a core. Texts are named by digest: erased texts
must not be in a model folder. torch is imported here.

Shape suffixes: N items, H hidden units.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from torch import Tensor

LEARNT_FILE: Final = "learnt.safetensors"

ESTIMATE: Final = "~"
"""After the digest of a text whose answer is estimated; no digest holds it."""


def text_digest(text: str) -> str:
    """Names a text without holding it: erased texts must not live on in a model folder."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_learnt_vectors(folder: Path, hidden: int) -> dict[str, Tensor]:
    """By the digest of its text the vector [H] of each item that a model folder keeps.

    Empty where there are none, where they cannot be read, or where they have another size than
    `hidden`: they are a cache, and whoever reads them can embed.
    """
    path = folder / LEARNT_FILE
    if not path.is_file():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            names = [entry[0] for entry in json.loads(file.metadata()["items"])["learnt"]]
            vectors_NH = file.get_tensor("vectors")
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, IndexError):
        return {}
    if vectors_NH.ndim != 2 or vectors_NH.shape != (len(names), hidden):
        return {}
    digests = (str(name).partition(ESTIMATE)[0] for name in names)
    return dict(zip(digests, vectors_NH, strict=True))
