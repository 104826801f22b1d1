"""Vectors of a selector's tools: the base model's, made once for each tool.

Shape suffixes: C tools of the catalogue, F units of the features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from archon_inference.catalogue import Tool
from archon_inference.encoder import TextEncoder
from archon_inference.selector import EmbeddedCatalogue
from services.trainer.closed_form.embedding import FEATURES


def embed_catalogue(
    tools: Sequence[Tool],
    known: EmbeddedCatalogue | None,
    load_base: Callable[[], TextEncoder],
    max_length: int,
) -> EmbeddedCatalogue:
    """The tools with their vectors: those that a version has, and new ones by the base model.

    Never by a version's own encoder: requests are trained towards descriptions as the base model
    sees them. A tool whose text changed is a new one.
    """
    vectors: dict[Tool, Tensor] = {}
    if known is not None and known.features_CF is not None:
        vectors = dict(zip(known.tools, known.features_CF, strict=True))
    new = [tool for tool in tools if tool not in vectors]
    if new:
        found_CF = load_base().embed([tool.text for tool in new], max_length, FEATURES)
        vectors |= dict(zip(new, found_CF, strict=True))
    features_CF = torch.stack([vectors[tool] for tool in tools])
    # The second half is the pooled last layer at length one.
    pooled_CH = features_CF[:, features_CF.shape[1] // 2 :]
    return EmbeddedCatalogue(tuple(tools), pooled_CH, features_CF)
