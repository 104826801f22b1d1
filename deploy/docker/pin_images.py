"""Writes an override of docker-compose.yml that names every image by its digest.

python -m deploy.docker.pin_images > docker-compose.digests.yml
docker compose -f docker-compose.yml -f docker-compose.digests.yml up --build --wait

A tag can be moved to other content, a digest cannot. Digests are asked of the registries, so this
runs where they are reached, once per choice of versions; what it writes is committed by whoever
deploys. The repository itself names full versions.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = re.compile(
    r"^  (?P<service>[a-z_-]+):\n(?:    .*\n|\n)*?    image: (?P<image>\S+)$", re.MULTILINE
)
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
SECONDS: Final = 60


def ask_registry(image: str) -> str:
    """The digest that the registry has for a tag.

    Raises:
        SystemExit: docker is missing, or the registry does not answer with one.
    """
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}"]
    try:
        done = subprocess.run(
            [*command, image], capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"{image}: docker cannot be asked for its digest ({error})") from error
    if done.returncode or not DIGEST.fullmatch(done.stdout.strip()):
        raise SystemExit(f"{image}: the registry gave no digest ({done.stderr.strip()[:200]})")
    return done.stdout.strip()


def build_override(compose: str, digest_of: Callable[[str], str] = ask_registry) -> str:
    """The override: the same tags, each with its digest."""
    lines = ["services:"]
    for found in IMAGE.finditer(compose):
        image = found["image"]
        lines += [f"  {found['service']}:", f"    image: {image}@{digest_of(image)}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(build_override((ROOT / "docker-compose.yml").read_text()))
