"""How a generator is trained: an adapter on a causal language model, by several methods."""
