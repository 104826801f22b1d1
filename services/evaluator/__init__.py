"""Compares a candidate with the live version on the same items."""
