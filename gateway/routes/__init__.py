"""The public routes, by what they are about. generation and embeddings are raw ASGI, since they are hot."""
