"""How each kind of agent is trained: one recipe a kind, each read from top to bottom."""
