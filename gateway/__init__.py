"""The public API: authentication, limits, and translation between REST and gRPC. It stores nothing of its own."""
