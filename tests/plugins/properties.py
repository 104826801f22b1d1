"""How property tests run: as many examples as are worth their time, and no deadline.

A busy machine is slow; how long an example takes says nothing about whether the code is right.
`make check` asks for the profile `quick` with `--hypothesis-profile`, `make test` runs `steady`.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
# Enough to meet a broken property in the inner loop; the rare example is found by `make test`.
settings.register_profile("quick", settings.get_profile("steady"), max_examples=10)
settings.load_profile("steady")
