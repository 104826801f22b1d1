"""When the story does not come true."""


class StoryError(Exception):
    """The demo cannot go on, or did not show what it is for; the message is one sentence."""
