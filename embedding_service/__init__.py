"""Owns embeddings: batching, the cache by content, and the adapters to embedding models."""
