"""The nouns of retrieval, one a module, each with the queries that are made on it; the errors; the ports."""
