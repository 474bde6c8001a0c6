"""Providers of language models, one file for each wire format, and the local engine."""
