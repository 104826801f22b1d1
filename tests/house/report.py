"""The figures of one tree, and two of them side by side."""

import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from tests.house.definitions import (
    class_homes,
    duplicate_protocols,
    function_lengths,
    one_call_functions,
    percentile,
    protocols,
    training_item_models,
)
from tests.house.feedback_path import files_on_the_path
from tests.house.layout import median_modules, modules_per_folder, sibling_cycles
from tests.house.source_tree import Source, modules, product_modules, read_tree
from tests.house.text_figures import comments_per_100_lines, duplicate_lines
from tests.house.words import find_words

Figures = dict[str, float]

# What each figure should reach; None: reported for comparison.
REACH: Mapping[str, str | None] = {
    "modules per folder, max": "<= 16",
    "modules per folder, median": None,
    "cycles between siblings": "0",
    "protocols": None,
    "protocols outside ports.py": None,
    "protocols stated twice": "0",
    "class names with two homes": "0",
    "words of the table": "0",
    "models of a training item": "1",
    "files that a feedback event passes": None,
    "parses of a feedback body, over Kafka": "<= 2",
    "parses of a feedback body, over HTTP": None,
    "functions with one call": None,
    "function lines, median": None,
    "function lines, 90th percentile": None,
    "function lines, max": "<= 60",
    "comments per 100 lines": "2 to 9",
    "duplicate lines": None,
    "lines of product code": None,
    "test seconds": "< 360",
}


def measure(root: Path) -> Figures:
    """The figures of the tree at `root`; what has to be run is measured elsewhere."""
    sources = read_tree(root)
    product = product_modules(sources)
    readme = root / "README.md"
    return {
        **_layout(sources, product),
        **_definitions(sources, product),
        "words of the table": len(find_words(sources)),
        "files that a feedback event passes": len(files_on_the_path(readme.read_text())),
        "comments per 100 lines": comments_per_100_lines(product),
        "duplicate lines": duplicate_lines(product),
        "lines of product code": sum(len(m.text.splitlines()) for m in product),
    }


def measure_revision(revision: str, root: Path) -> Figures:
    """The figures of a committed revision, unpacked into a temporary folder.

    Raises:
        subprocess.CalledProcessError: git does not know the revision.
    """
    command = ["git", "-C", str(root), "archive", revision]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory(prefix="house-") as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        return measure(Path(folder))


def read_test_seconds(junit: Path) -> float:
    """The sum of the suites' wall-clock seconds in a JUnit report."""
    suites = ElementTree.parse(junit).iter("testsuite")
    return round(sum(float(suite.get("time", 0)) for suite in suites), 1)


def _layout(sources: list[Source], product: list[Source]) -> Figures:
    folders = modules_per_folder(modules(sources))
    return {
        "modules per folder, max": max(folders.values(), default=0),
        "modules per folder, median": median_modules(folders),
        "cycles between siblings": len(sibling_cycles(product)),
    }


def _definitions(sources: list[Source], product: list[Source]) -> Figures:
    lengths = function_lengths(product)
    stated = protocols(product)
    return {
        "protocols": len(stated),
        "protocols outside ports.py": sum(path.name != "ports.py" for _, path in stated),
        "protocols stated twice": len(duplicate_protocols(product)),
        "class names with two homes": len(class_homes(modules(sources))),
        "models of a training item": len(training_item_models(product)),
        "functions with one call": len(one_call_functions(product)),
        "function lines, median": percentile(lengths, 0.5),
        "function lines, 90th percentile": percentile(lengths, 0.9),
        "function lines, max": max(lengths, default=0),
    }
