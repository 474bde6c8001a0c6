"""The use cases of identity, by noun: sessions, profiles, keys, tenants, changes."""
