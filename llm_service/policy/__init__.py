"""Decisions about calls without I/O: what a document may hold, where a model is, what an error means."""
