"""The HTTP API: feedback intake, commands, and read models of all services' events."""
