"""Benchmarks of methods of learning, of which each has a recipe of its own."""
