"""Benchmarks of generators: small language models with adapters."""
