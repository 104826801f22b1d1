"""Base models that lie on other machines."""
