"""Faults, driven from outside, and the client_log that tells what they cost."""
