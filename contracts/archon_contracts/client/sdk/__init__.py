"""The SDK: the whole API as typed methods, and the decorator that logs an agent's answers."""
