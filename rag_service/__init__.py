"""Owns collections, documents, chunks, ingestion, search and grounded answers."""
