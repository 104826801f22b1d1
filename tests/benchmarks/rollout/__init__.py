"""Benchmarks of what feedback decides about versions."""
