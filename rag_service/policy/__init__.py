"""Decisions of retrieval without I/O: chunks, terms, fusion, filters, answers."""
