"""Writes what follows from other files: types from OpenAPI, the sync client from the async one."""
