"""Rollouts: which version answers which traffic, and what its feedback decides."""
