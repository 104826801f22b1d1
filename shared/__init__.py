"""Mechanism that three or more services use: no business words, no torch."""

import sys
from typing import cast

# structlog imports rich, and with it pygments, where they are installed, to colour what it prints
# on a terminal. Services log JSON: it would be 4 MB of each process. Here, since this module is
# imported before every other one of a service.
if not {"rich", "structlog"} & sys.modules.keys():
    modules = cast("dict[str, object]", sys.modules)
    modules["rich"] = None
    import structlog as structlog

    del modules["rich"], modules
