"""Webhooks: requests to addresses of tenants when something of theirs happens."""
