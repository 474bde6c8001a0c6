"""The meter's function library and its client."""
