"""Faults, driven from outside, and the client log from which losses are counted."""
