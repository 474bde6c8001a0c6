"""Between OpenAI's chat completions and Anthropic's messages: requests, answers and streams, one module a direction.

Pure functions and small state machines. What one format says and the other cannot is refused with Unsupported, which
names the field; what says nothing about the answer (marks for a prompt cache, labels) may be left out. The table of
both is `docs/translation.md`.
"""
