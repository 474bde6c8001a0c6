"""Azure's paths as ours, and the model that a path names."""

import orjson
import pytest

from gateway.azure import deployed, place_of


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/openai/deployments/gpt-x/chat/completions", ("/v1/chat/completions", "gpt-x")),
        ("/openai/deployments/openai/gpt-x/completions", ("/v1/completions", "openai/gpt-x")),
        ("/openai/deployments/hf/org/name:fast/chat/completions", ("/v1/chat/completions", "hf/org/name:fast")),
        ("/openai/deployments/m/embeddings", ("/v1/embeddings", "m")),
        ("/openai/v1/responses", ("/v1/responses", "")),
        ("/openai/responses/resp_1/input_items", ("/v1/responses/resp_1/input_items", "")),
        ("/openai/models", ("/v1/models", "")),
        ("/openai/deployments/m/images/generations", ("/v1/deployments/m/images/generations", "")),
        ("/openai/", ("/v1/", "")),
        ("/openai/a\nb", ("/v1/", "")),
    ],
)
def test_a_path(path: str, place: tuple[str, str]) -> None:
    assert place_of(path) == place


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{ "model":"other", "n":1e0 }', b'{ "model":"m", "n":1e0 }'),
        (b'{"messages":[]}', b'{"model":"m","messages":[]}'),
        (b'{"model":null}', b'{"model":"m"}'),
        (b'{"model":"m" }', b'{"model":"m" }'),
    ],
)
def test_the_paths_model_is_the_documents(body: bytes, sent: bytes) -> None:
    document = orjson.loads(body)
    assert deployed({"deployment": "m"}, body, document) == (sent, orjson.loads(sent))
    assert deployed({}, body, document) == (body, document)
