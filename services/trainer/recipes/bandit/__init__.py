"""Learning from logged rewards of single answers: a contextual bandit, off policy."""
