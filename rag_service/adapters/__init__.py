"""Other services, extraction of text, the object store, and the table of vector stores."""
