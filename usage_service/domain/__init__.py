"""The nouns of metering: the ledger's and the limits'; the errors; the ports."""
