"""The environment of child processes: an allow-list, so that no secret of the service is in it.

A child reads datasets and models that others made. What it does not have it cannot give away:
the database's URL, the signing key, Kafka's credentials and the collector's headers stay in the
service, which does all that needs them.
"""

from __future__ import annotations

import multiprocessing.util
import os
from collections.abc import Mapping, Sequence
from typing import Final

ALLOWED: Final = frozenset(
    (
        *("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
        *("TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE", "HF_HOME", "XDG_CACHE_HOME"),
        *("TRANSFORMERS_OFFLINE", "CUBLAS_WORKSPACE_CONFIG"),
    )
)
"""By name: `HF_TOKEN` and its like share their prefix."""
ALLOWED_PREFIXES: Final = (
    *("LC_", "PYTHON", "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "TORCH_", "PYTORCH_"),
    *("CUDA_", "NVIDIA_", "NCCL_"),
)


def allowed_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a child may have of an environment."""
    return {
        name: value
        for name, value in environment.items()
        if name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    }


def install() -> None:
    """Have multiprocessing start its servers, and with them every child, without the secrets.

    The standard library passes the whole environment and has no argument for it. Deleting
    variables in the child would be too late: `/proc/PID/environ` keeps what it was started with.
    """
    multiprocessing.util.spawnv_passfds = _spawn  # type: ignore[assignment]  # not in typeshed as assignable


def _spawn(path: str | bytes, args: Sequence[str | bytes], passfds: Sequence[int]) -> int:
    environment = allowed_environment(os.environ)
    # A descriptor copied onto itself loses close-on-exec; all others keep theirs.
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, descriptor) for descriptor in passfds]
    return os.posix_spawn(
        path, [os.fsdecode(arg) for arg in args], environment, file_actions=actions
    )
