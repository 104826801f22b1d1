"""What the fork servers of trainer and evaluator import, first and last."""
