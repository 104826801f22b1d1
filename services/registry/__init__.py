"""Runs, versions, deployments and rollbacks."""
