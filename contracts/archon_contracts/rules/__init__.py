"""Rules of values that hold at every door: number bounds, storable JSON, normal text."""
