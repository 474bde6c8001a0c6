"""Owns the model catalogue, routing, and the adapters to language-model providers. It knows no limits and no prices."""
