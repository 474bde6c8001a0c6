"""Owns tenants, users, memberships, API keys and sessions. It knows that a tenant is on a plan, not what that means."""
