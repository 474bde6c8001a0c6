"""The use cases of metering, by noun: limits, leases, reports, the ledger."""
