"""Benchmarks of when agents are retrained."""
