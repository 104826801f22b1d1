"""How Archon Training is run: on one machine (`local`), in containers, and as a demonstration."""
