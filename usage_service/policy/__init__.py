"""Decisions about usage without I/O: what limits hold, what things cost, how events add up."""
