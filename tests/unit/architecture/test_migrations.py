"""Files of migrations: one number each, so that their order is the order they were written in."""

import re
from collections import Counter
from pathlib import Path

import pytest

from shared.postgres.migrations import ROOT

FOLDERS = sorted({path.parent for path in ROOT.glob("services/*/sql/migrations/*.sql")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parents[1].name)
def test_no_two_migrations_of_a_service_have_one_number(folder: Path) -> None:
    names = sorted(path.name for path in folder.glob("*.sql"))

    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name) for name in names)
    assert [n for n, count in Counter(name[:4] for name in names).items() if count > 1] == []
