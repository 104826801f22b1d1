"""docker-compose.yml and the Dockerfile as data."""

import re

import yaml

from deploy.local.servers.service_process import PROJECT_ROOT

COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (PROJECT_ROOT / "deploy/docker/Dockerfile").read_text()
BUILT = {name: each for name, each in COMPOSE["services"].items() if "build" in each}
SETUP = "setup"


def stages():
    """Give each stage of the Dockerfile: its parent and its lines."""
    found = {}
    for block in re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]:
        parent, _, name = block.splitlines()[0].partition(" AS ")
        found[name] = (parent, block)
    return found


def image_environment(target):
    """Collect the variables that an image of `target` sets, those of its parents included."""
    known, variables = stages(), {}
    while target in known:
        target, block = known[target]
        lines = re.search(r"^ENV ((?:.*\\\n)*.*)", block, flags=re.MULTILINE)
        pairs = re.findall(r"(\w+)=(\S+)", lines.group(1)) if lines else []
        variables = dict(pairs) | variables
    return variables


def text_of_ancestry(target):
    """Join the lines of `target` and of the stages that it builds upon."""
    known, text = stages(), ""
    while target in known:
        target, block = known[target]
        text += block
    return text
