"""From a table of examples to a deployed version, and into the dashboard."""
