"""A small server that answers with the deployed version: the reference for agents of your own."""
