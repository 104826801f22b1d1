"""The first thing a fork server imports: no garbage collection while it imports the rest.

What it imports lives as long as the server; walking it again and again was a sixth of its start.
"""

import gc

gc.disable()
