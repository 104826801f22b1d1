"""One runtime per data directory."""

import pytest

from deploy.local import lock
from deploy.local.errors import AlreadyRunningError


def test_a_second_runtime_is_refused_in_one_sentence(tmp_path):
    with (
        lock.exclusive(tmp_path),
        pytest.raises(AlreadyRunningError, match="Another archon runtime is using"),
        lock.exclusive(tmp_path),
    ):
        pass


def test_the_directory_is_free_again_afterwards(tmp_path):
    with lock.exclusive(tmp_path):
        assert lock.is_locked(tmp_path)

    assert not lock.is_locked(tmp_path)


def test_a_directory_that_was_never_used_is_not_held(tmp_path):
    assert not lock.is_locked(tmp_path)
