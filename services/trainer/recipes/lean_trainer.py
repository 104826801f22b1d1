"""Imports the Trainer of transformers without the `datasets` library; for the fork server.

transformers imports `datasets`, and with it pandas and pyarrow, to ask whether a training set is
one of its own: 80 MB of the fork server. Only the generator's recipe has such sets, and imports the
library itself. Until then nothing can be one, and from then on the question is answered as before.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


class _LoadedDatasets:
    """The `datasets` module, for those who ask after it was imported."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["datasets"], name)


def _is_datasets_loaded() -> bool:
    return "datasets" in sys.modules


_utils = vars(importlib.import_module("transformers.utils"))
_is_datasets_available = _utils["is_datasets_available"]
_utils["is_datasets_available"] = _is_datasets_loaded
try:
    # The import binds the replaced function for good, as every `from ... import` does.
    _trainer = importlib.import_module("transformers.trainer")
finally:
    _utils["is_datasets_available"] = _is_datasets_available
vars(_trainer).setdefault("datasets", _LoadedDatasets())
