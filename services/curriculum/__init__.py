"""Curriculum: what an agent is taught next, and how far it has come."""
