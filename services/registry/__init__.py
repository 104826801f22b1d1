"""Model versions, deployments and rollbacks."""
