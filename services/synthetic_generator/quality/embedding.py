"""Vectors of texts, by which diversity and distance to private records are measured.

N texts, V buckets of n-grams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

Embed = Callable[[Sequence[str]], Any]
"""Unit vectors [N, V] of texts, sparse or dense: `@` with a transpose gives cosines."""

BUCKETS: Final = 2**16


def embed_by_signs(texts: Sequence[str]) -> Any:
    """Sparse unit vectors [N, V] of the counts of three to five signs in a row, within words.

    They need no model and no language, and see every near copy.
    """
    # In a child process only: the library is 60 MB.
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), n_features=BUCKETS, alternate_sign=False
    )
    return vectorizer.transform(list(texts))


def cosines(left_NV: Any, right_MV: Any) -> Vectors:
    """Cosines [N, M] of unit vectors, as a dense array."""
    import numpy as np

    product = left_NV @ right_MV.T
    dense: Vectors = np.asarray(product.todense() if hasattr(product, "todense") else product)
    return dense
