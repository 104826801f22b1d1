"""Prints a `.env` for docker-compose.yml: each secret at random, each public key from its own.

python -m deploy.docker.make_env > .env

A variable that is set in the environment keeps its value, but for the public keys, which are always
those of the signing keys. So a file can be completed:
`env $(grep -v '^#' .env) python -m deploy.docker.make_env > new.env`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.credentials import random_key, random_text
from shared.artifacts.signing import Signer

EXAMPLE: Final = Path(__file__).with_name("env.example")
SIGNING_KEY: Final = "_SIGNING_KEY"
TRAINER: Final = f"TRAINER{SIGNING_KEY}"
SECRET: Final = re.compile(r"(_PASSWORD|_KEY|_SECRET)$")
VARIABLE: Final = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


def fill_in(example: str, known: Mapping[str, str]) -> str:
    """The example with a value for every secret and public key."""
    values = {name: known.get(name, default) for name, default in VARIABLE.findall(example)}
    for name, value in values.items():
        if SECRET.search(name) and not value:
            is_hex = name.endswith((SIGNING_KEY, "_MAC_KEY"))
            values[name] = random_key() if is_hex else random_text()
    makers = {name: Signer(value) for name, value in values.items() if name.endswith(SIGNING_KEY)}
    values["ARTIFACTS_TRUSTED_KEYS"] = ",".join(maker.public_key for maker in makers.values())
    values["ARTIFACTS_MODEL_KEYS"] = makers[TRAINER].public_key
    return VARIABLE.sub(lambda found: f"{found[1]}={values[found[1]]}", example)


if __name__ == "__main__":
    print(fill_in(EXAMPLE.read_text(), os.environ), end="")  # noqa: T201  it is the command's output
