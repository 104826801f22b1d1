"""Statistics of experiments, from sums alone: no I/O, no clock, nothing but `math`.

Arguments that are called outcomes, rates or counts may be numbers, or NumPy arrays of one shape
with `log=numpy.log`: the benchmark `rollout_decisions` runs thousands of experiments through the
code that decides one in production.
"""
