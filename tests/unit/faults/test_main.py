"""The fault suite's command line."""

import pytest

from tests.faults.__main__ import main


def test_an_unknown_scenario_beside_a_known_one_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "F1,K3,X9"])

    assert "there is no scenario X9" in capsys.readouterr().err
