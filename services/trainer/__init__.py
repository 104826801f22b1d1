"""Trains models, resumably, in child processes."""
