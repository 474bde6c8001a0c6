"""Embedding models, one file for each way of reaching them, and the cache of vectors."""
