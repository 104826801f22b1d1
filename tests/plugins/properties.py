"""How property tests run: as many examples as are worth their time, and no deadline.

A busy machine is slow; how long an example takes says nothing about whether the code is right.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
