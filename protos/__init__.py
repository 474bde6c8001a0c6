"""The contracts: one proto file a domain under aisp/, its generated Python under gen/ (committed, never edited)."""
