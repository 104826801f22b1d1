"""The garbage collector of a test process."""

import gc
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Do without the collector while modules are imported, and keep it off what they made.

    Modules live as long as the process. A full collection walked through all of torch and
    transformers and of the tests: 0.4 s, at every start of a training and whenever enough objects
    had been made, which was half of the time of the tests that train.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
