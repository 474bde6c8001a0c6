"""The nouns of language models, the ports through which the service reaches the world, and its errors."""
