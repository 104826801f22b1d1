"""Secrets that the local system makes for itself."""

import stat

from deploy.local.credentials import read_or_create


def test_a_secret_is_made_once_and_then_read(tmp_path):
    first = read_or_create(tmp_path / "key")

    assert read_or_create(tmp_path / "key") == first
    assert len(first) >= 40


def test_only_its_owner_can_read_a_secret(tmp_path):
    read_or_create(tmp_path / "key")

    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_two_secrets_differ(tmp_path):
    assert read_or_create(tmp_path / "one") != read_or_create(tmp_path / "two")
