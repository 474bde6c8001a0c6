"""OpenAI's responses: what a request may hold, and how it is asked of a model that speaks chat completions only.

Pure functions and one small state machine. What chat completions cannot say is refused with Unsupported.
"""
