"""Spans, metrics and logs: to OTLP when configured, always also to PostgreSQL, never blocking."""
