"""The laptop: starts the whole platform on one machine with real engines. For people, tests and demos.

Owns the engines' life (PostgreSQL, Valkey), the model files and the processes; the services know nothing of it.
"""
