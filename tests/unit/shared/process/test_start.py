"""How a service's process starts."""

import ast
import gc
import sys
from pathlib import Path

import pytest

from archon_contracts.topics import SERVICES
from shared.process import application
from shared.process.start import start
from tests.support.sources import ROOT

SETTINGS = """
import gc
COLLECTED = gc.isenabled()
class Settings: ...
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_nothing_before_the_collector_is_off(service: str) -> None:
    tree = ast.parse((ROOT / "services" / service / "__main__.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]

    assert [ast.unparse(node) for node in imports] == ["from shared.process.start import start"]
    assert f"start('services.{service}')" in ast.unparse(tree)


def test_the_collector_is_off_while_a_service_is_imported_and_on_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "made_up_service"
    package.mkdir()
    (package / "settings.py").write_text(SETTINGS)
    (package / "app.py").write_text("def build_app(settings): ...")
    monkeypatch.syspath_prepend(tmp_path)
    ran = []
    monkeypatch.setattr(application, "run", lambda *called: ran.append((*called, gc.isenabled())))

    start("made_up_service")

    app, settings = (sys.modules[f"made_up_service.{name}"] for name in ("app", "settings"))
    assert ran == [(settings.Settings, app.build_app, True)]
    assert settings.COLLECTED is False


def test_the_collector_is_on_after_an_import_that_fails() -> None:
    with pytest.raises(ModuleNotFoundError):
        start("no_such_service")

    assert gc.isenabled()
