"""Answers of an agent's own function on their way to the system."""
