"""Rollouts as agents see them: the experiment of a configuration, and who gets which version.

`assign_version` is a pure function that agents, gateway and tests share.
"""
