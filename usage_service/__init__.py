"""Owns the meter (limits), the ledger (usage) and prices. It knows what a plan means, not who is on it."""
