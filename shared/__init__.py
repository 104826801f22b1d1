"""Mechanism that three or more services use: no business words, no torch."""
