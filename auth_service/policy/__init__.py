"""Decisions about identity without I/O, property-tested."""
