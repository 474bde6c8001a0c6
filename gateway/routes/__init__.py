"""The public routes, by what they are about. chat and embeddings are raw ASGI, since they are hot."""
