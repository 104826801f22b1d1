"""Benchmarks of versions and metric series."""
