"""The last thing a fork server imports: collect once, and let its children collect their own.

Objects of the libraries never become garbage. Out of the collector's sight they cost a run nothing
(each full collection took 0.3 s with torch) and their pages stay shared between the processes.
"""

import gc

gc.collect()
gc.freeze()
gc.enable()
