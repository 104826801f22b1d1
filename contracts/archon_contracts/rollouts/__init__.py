"""Rollouts: how a new version gets its traffic, who is served by which, what an answer was worth.

`policy` is part of an agent's profile, `experiment` of its AgentConfiguration; `assignment` and
`outcome` are pure functions that agents, gateway and services share.
"""
