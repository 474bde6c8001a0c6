"""What a person reads when everything runs."""

from pathlib import Path

from deploy.local.state import Credentials

TEXT = """
The platform is ready ({seconds:.0f} s).

  address    {base_url}          (OpenAI SDK: base_url={base_url}/v1)
  log in     {email} / {password}
  API key    {key}
  logs       {logs}

Try:

  curl {base_url}/v1/chat/completions -H "Authorization: Bearer {key}" \\
    -H "Content-Type: application/json" \\
    -d '{{"model": "local/smollm2-135m-instruct", "messages": [{{"role": "user", "content": "Say hello."}}]}}'

  curl {base_url}/api/v1/usage/summary -H "Authorization: Bearer {key}"

  make demo          (in another terminal: documents, answers with citations, speech, usage)

Ctrl-C stops everything; the data stays.
"""


def banner(base_url: str, credentials: Credentials, logs: Path, seconds: float) -> str:
    """The text."""
    return TEXT.format(
        base_url=base_url,
        email=credentials.email,
        password=credentials.password,
        key=credentials.api_key,
        logs=logs,
        seconds=seconds,
    )
