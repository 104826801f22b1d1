"""Benchmarks of who gets the training slots."""
