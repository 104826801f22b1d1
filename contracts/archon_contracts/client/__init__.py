"""Clients for agents and downstream services."""
