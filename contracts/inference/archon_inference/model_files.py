"""The files of a model folder that transformers writes, and how they are loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from archon_contracts.formats import HEAD_FILE as HEAD_FILE

WEIGHTS_FILE: Final = "model.safetensors"
CONFIG_FILE: Final = "config.json"
TOKENIZER_FILE: Final = "tokenizer_config.json"
ADAPTER_FOLDER: Final = "adapter"
"""Of a generator's version, in the format of PEFT."""

# What transformers gets at each load: no download, and no code out of the folder.
SAFE_LOADING_OPTIONS: Final = {"local_files_only": True, "trust_remote_code": False}


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence transformers' load report and progress bar while a model is loaded.

    They would land on the terminal of our users.
    """
    # Imported here: whoever only needs the names of files must not load the library.
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # as above
