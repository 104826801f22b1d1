"""Benchmarks of what agents learn from CLINC150 and the Berkeley Function Calling Leaderboard."""
