"""The files of a model folder that transformers writes, and how they are loaded."""

from __future__ import annotations

from typing import Final

WEIGHTS_FILE: Final = "model.safetensors"
CONFIG_FILE: Final = "config.json"
TOKENIZER_FILE: Final = "tokenizer_config.json"

# What transformers gets at each load: no download, and no code out of the folder.
SAFE_LOADING_OPTIONS: Final = {"local_files_only": True, "trust_remote_code": False}
