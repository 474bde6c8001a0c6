"""Admission: the meter's client for the hot path, and the headers that tell of limits. Decides no limit itself."""
