"""The demo's second agent, `topic-router`: small, and corrected on the fast path."""
