"""Public data sets that tests measure against, where the machine has them."""

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict


class RealData(BaseSettings):
    """Where the data sets lie: `ARCHON_TEST_DATA`, else a folder beside the checkout."""

    model_config = SettingsConfigDict(env_prefix="ARCHON_")

    test_data: Path = Path(__file__).resolve().parents[4] / "shared" / "data"


def real_data(name: str) -> Path:
    """The file, or a skip that says what is missing."""
    path = RealData().test_data / name
    if not path.is_file():
        pytest.skip(f"the public data set {name} is not here; ARCHON_TEST_DATA names its folder")
    return path
