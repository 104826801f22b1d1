"""Folders of other tools that cannot be read."""

from __future__ import annotations


class ExchangeError(Exception):
    """A folder is not what it should be; the message names the file and the fix."""
