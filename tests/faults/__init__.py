"""Faults, driven from outside, and the ledger that tells what they cost."""
