"""Compares a candidate with the deployed version on the same items."""
