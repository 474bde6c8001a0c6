"""The use cases of language models: the catalogue, completions, and the wrappers that make providers dependable."""
