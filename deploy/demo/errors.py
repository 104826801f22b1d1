"""When the demo does not show what it should."""


class DemoError(Exception):
    """The demo cannot go on, or did not show what it is for; the message is one sentence."""
