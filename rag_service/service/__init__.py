"""The use cases of retrieval: collections, documents, ingestion, search, answers."""
