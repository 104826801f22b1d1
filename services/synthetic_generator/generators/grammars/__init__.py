"""Domains that need no examples, by the scenario type that names them: built-in ones, files of a
folder, and those of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from services.synthetic_generator.errors import DomainInvalid
from services.synthetic_generator.generators.grammar import Grammar
from services.synthetic_generator.generators.grammars.files import read_domain
from services.synthetic_generator.generators.ports import SampleGenerator

ENTRY_POINT_GROUP: Final = "archon.synthetic_domains"
_FOLDER: Final = Path(__file__).parent

GRAMMARS: Mapping[str, Grammar] = {
    "customer-support": read_domain(_FOLDER / "customer_support.yaml"),
    "tool-use": read_domain(_FOLDER / "tool_use.yaml"),
}
"""Built in, as examples to copy."""


def find_domain(scenario_type: str, folder: Path | None = None) -> Grammar | SampleGenerator | None:
    """The domain of that name; None: there is none.

    A file `NAME.yaml` of the folder comes before an installed package's entry point, and that
    before a built-in domain. An entry point names a `Grammar`, the path of a domain file, or a
    callable without arguments that returns one of them or a `SampleGenerator`.

    Raises:
        DomainInvalid: its file is not right, or its package cannot be loaded.
    """
    # Compared with the names that there are: the type comes from outside and must not be a path.
    files = {path.stem: path for path in folder.glob("*.yaml")} if folder else {}
    if scenario_type in files:
        return read_domain(files[scenario_type])
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == scenario_type:
            return _load(point.name, point.load)
    return GRAMMARS.get(scenario_type)


def _load(name: str, load: object) -> Grammar | SampleGenerator:
    try:
        found = load()  # type: ignore[operator]  # an entry point's method
        if callable(found):
            found = found()
        if isinstance(found, (str, Path)):
            found = read_domain(Path(found))
    except DomainInvalid:
        raise
    except Exception as error:
        raise DomainInvalid(f"the entry point {name} of {ENTRY_POINT_GROUP}: {error}") from error
    if isinstance(found, Grammar) or all(
        hasattr(found, each) for each in ("targets", "is_english", "generate")
    ):
        domain: Grammar | SampleGenerator = found
        return domain
    raise DomainInvalid(
        f"the entry point {name} of {ENTRY_POINT_GROUP} is a {type(found).__name__}; give a "
        "Grammar, the path of a domain file, or an object with targets, is_english and generate"
    )
