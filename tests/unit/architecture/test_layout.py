"""The house's rules that a program can check."""

import ast
from pathlib import Path

import pytest
from faststream import AckPolicy

from archon_contracts.topics import SERVICES
from tests.support.built import built
from tests.support.sources import (
    ROOT,
    attributes_of,
    functions_of,
    imports_of,
    keywords_of,
    lines_of,
    name_of,
    product_files,
    sql_in,
)

EVERY_SERVICE_HAS = (
    "README.md",
    "__init__.py",
    "__main__.py",
    "app.py",
    "domain.py",
    "errors.py",
    "handlers.py",
    "service.py",
    "settings.py",
    "sql/queries.sql",
    "store.py",
)
README_HEADINGS = (
    "What it does",
    "Takes",
    "Gives",
    "State",
    "Settings",
    "Where to look",
    "Failure",
)
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.putenv"}
PICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNPICKLING = {
    *("torch.load", "torch.save", "torch.jit.load", "np.load", "np.save", "numpy.load"),
    *("pd.read_pickle", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load"),
}
LETS_PICKLES_IN = {"allow_pickle", "weights_only"}
READ_THE_ENVIRONMENT = (
    "shared/work/child_environment.py",  # what a child gets is chosen from all of it
    "shared/work/child_process.py",  # carries the trace context into libraries
    "shared/work/child_pool.py",  # threads of native libraries, set before they are imported
    "contracts/inference/archon_inference/devices.py",  # hides the other GPUs from a child
    "deploy/",  # starts the processes, so it makes their environments
)
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
LONGEST_HANDLER = 10

each_service = pytest.mark.parametrize("service", SERVICES)
FILES = product_files()


@each_service
def test_a_service_has_the_files_that_every_service_has(service: str) -> None:
    folder = ROOT / "services" / service

    missing = [name for name in EVERY_SERVICE_HAS if not (folder / name).is_file()]

    assert missing == []
    assert list((folder / "sql" / "migrations").glob("0001_*.sql"))


@each_service
def test_a_service_is_described_in_the_fixed_shape(service: str) -> None:
    lines = (ROOT / "services" / service / "README.md").read_text().splitlines()

    headings = [line.removeprefix("## ") for line in lines if line.startswith("## ")]

    assert tuple(headings) == README_HEADINGS


def test_modules_are_short() -> None:
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in FILES}

    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_modules_are_named_for_an_idea() -> None:
    parts = {name_of(path): set(path.relative_to(ROOT).with_suffix("").parts) for path in FILES}

    assert [name for name, words in parts.items() if words & FORBIDDEN_NAMES] == []


def test_functions_fit_on_a_screen() -> None:
    sizes = {f"{name_of(p)}:{f.name}": lines_of(f) for p in FILES for f in functions_of(p)}

    assert {name: size for name, size in sizes.items() if size > LONGEST_FUNCTION} == {}


def test_handlers_only_hand_over() -> None:
    modules = sorted((ROOT / "services").glob("*/handlers.py"))
    handlers = {f"{name_of(p)}:{f.name}": f for p in modules for f in functions_of(p)}
    sizes = {n: lines_of(f) for n, f in handlers.items() if isinstance(f, ast.AsyncFunctionDef)}

    assert len(sizes) >= len(SERVICES)
    assert {name: size for name, size in sizes.items() if size > LONGEST_HANDLER} == {}


def test_the_environment_is_read_by_settings_alone() -> None:
    others = [
        path
        for path in FILES
        if path.name != "settings.py" and not name_of(path).startswith(READ_THE_ENVIRONMENT)
    ]

    assert [name_of(path) for path in others if attributes_of(path) & ENVIRONMENT] == []


def test_sql_lives_in_sql_files() -> None:
    found = {name_of(path): sql_in(path) for path in FILES}

    assert {name: statements for name, statements in found.items() if statements} == {}


def test_nothing_is_ever_unpickled() -> None:
    picklers = [name_of(path) for path in FILES if imports_of(path) & PICKLING]
    loaders = [name_of(path) for path in FILES if attributes_of(path) & UNPICKLING]
    allowed = [name_of(path) for path in FILES if keywords_of(path) & LETS_PICKLES_IN]

    assert picklers + loaders + allowed == []


def test_code_out_of_a_model_folder_is_never_trusted() -> None:
    loads = [path for path in FILES if "from_pretrained(" in path.read_text()]

    assert loads
    assert [
        name_of(path) for path in loads if "**SAFE_LOADING_OPTIONS" not in path.read_text()
    ] == []


def test_the_check_for_sql_knows_sql_from_prose(tmp_path: Path) -> None:
    source = tmp_path / "made_up.py"
    source.write_text(
        'A = "delete  from work"\nB = "Select a model from the list."\nC = "update"\n'
    )

    assert sql_in(source) == ["delete  from work"]


@each_service
def test_every_subscription_names_its_group_and_acknowledges_after_the_effect(
    service: str,
) -> None:
    subscribers = [
        s for router in built(service).service_context.broker.routers for s in router.subscribers
    ]

    assert subscribers
    for subscriber in subscribers:
        assert subscriber.group_id.startswith(f"archon.{service.replace('_', '-')}")
        assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR


@each_service
def test_the_consumer_groups_of_a_service_are_distinct(service: str) -> None:
    groups = [
        s.group_id
        for router in built(service).service_context.broker.routers
        for s in router.subscribers
    ]

    assert len(set(groups)) == len(groups)
