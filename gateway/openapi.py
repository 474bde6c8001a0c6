"""The OpenAPI document: what FastAPI derives, and what the raw routes and the security of each operation add."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway.edge import GUARDED, is_open
from gateway.errors import ANTHROPIC, OVERLOADED
from gateway.routes import search
from gateway.routes.auth import TokenRequest
from gateway.routes.common import Problem
from gateway.routes.intake import NewDocument
from gateway.routes.rag import ChatRequest, GenerateRequest

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token (JWT) or an API key"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
ERROR_TEXTS = {
    400: "The body is not valid",
    401: "No valid credentials",
    403: "Not allowed",
    404: "No such model",
    413: "Too large",
    429: "A limit binds",
    503: "Not available at the moment",
}
MODELS: tuple[type[BaseModel], ...] = (
    Problem, TokenRequest, NewDocument, search.SearchRequest, GenerateRequest, ChatRequest,
)  # fmt: skip
OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
CHAT_REQUEST = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string", "minLength": 1, "maxLength": 200},
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "stream": {"type": "boolean"},
        "max_tokens": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": True,
    "examples": [{"model": "local/smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hello!"}]}],
}
COMPLETION_REQUEST = {
    "type": "object",
    "required": ["model", "prompt"],
    "properties": {
        "model": {"type": "string", "minLength": 1, "maxLength": 200},
        "prompt": {"type": ["string", "array"]},
        "stream": {"type": "boolean"},
        "max_tokens": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": True,
    "examples": [{"model": "local/smollm2-135m-instruct", "prompt": "The capital of France is", "max_tokens": 8}],
}
MESSAGES_REQUEST = {
    "type": "object",
    "required": ["model", "messages", "max_tokens"],
    "properties": {
        "model": {"type": "string", "minLength": 1, "maxLength": 200},
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "stream": {"type": "boolean"},
        "max_tokens": {"type": "integer", "minimum": 0},
    },
    "additionalProperties": True,
    "examples": [
        {
            "model": "local/smollm2-135m-instruct",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Hello!"}],
        }
    ],
}
ANTHROPIC_ERROR = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
        "request_id": {"type": "string"},
    },
}
RESPONSE_REQUEST = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string", "minLength": 1, "maxLength": 200},
        "input": {"type": ["string", "array"]},
        "instructions": {"type": ["string", "null"]},
        "previous_response_id": {"type": ["string", "null"]},
        "store": {"type": ["boolean", "null"]},
        "stream": {"type": "boolean"},
        "max_output_tokens": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": True,
    "examples": [{"model": "local/smollm2-135m-instruct", "input": "Hello!"}],
}
EMBEDDING_REQUEST = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string", "minLength": 1, "maxLength": 200},
        "input": {"type": ["string", "array"]},
        "dimensions": {"type": "integer", "minimum": 1},
        "encoding_format": {"type": "string", "enum": ["float", "base64"]},
        "input_type": {"type": "string", "enum": ["query", "document"]},
    },
    "additionalProperties": True,
    "examples": [{"model": "local/all-minilm-l6-v2", "input": "Hello!"}],
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document.setdefault("components", {})
        components["securitySchemes"] = SCHEMES
        _add_schemas(components.setdefault("schemas", {}))
        paths = document["paths"]
        paths["/v1/chat/completions"] = {"post": _raw("chatCompletions", "language models", "ChatCompletionRequest")}
        paths["/v1/completions"] = {"post": _raw("completions", "language models", "CompletionRequest")}
        paths["/v1/responses"] = {"post": _raw("responses", "language models", "ResponseRequest")}
        paths["/v1/embeddings"] = {"post": _raw("embeddings", "embeddings", "EmbeddingRequest")}
        paths["/v1/messages/count_tokens"] = {"post": _raw("countTokens", "language models", "CountTokensRequest")}
        paths["/v1/messages"] = {"post": _raw("messages", "language models", "MessagesRequest")}
        paths[search.PATH] = {"post": search.operation()}
        for path, operations in paths.items():
            for operation in operations.values():
                _finish(path, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _add_schemas(schemas: dict[str, Any]) -> None:
    for model in MODELS:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, inner in schema.pop("$defs", {}).items():
            schemas.setdefault(name, inner)
        schemas[model.__name__] = schema
    schemas["OpenAIError"] = OPENAI_ERROR
    schemas["ChatCompletionRequest"] = CHAT_REQUEST
    schemas["CompletionRequest"] = COMPLETION_REQUEST
    schemas["AnthropicError"] = ANTHROPIC_ERROR
    schemas["MessagesRequest"] = MESSAGES_REQUEST
    schemas["ResponseRequest"] = RESPONSE_REQUEST
    schemas["CountTokensRequest"] = MESSAGES_REQUEST | {"required": ["model", "messages"]}
    schemas["EmbeddingRequest"] = EMBEDDING_REQUEST


def _raw(operation_id: str, tag: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    answer: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if schema not in ("EmbeddingRequest", "CountTokensRequest"):
        answer["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "operationId": operation_id,
        "tags": [tag],
        "summary": "As its maker's; fields that the platform does not decide on are passed as they are",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "The answer", "content": answer}}
        | {str(status): {"description": text} for status, text in ERROR_TEXTS.items()},
    }


def _finish(path: str, operation: dict[str, Any]) -> None:
    """Security for each operation, and on the ecosystem's routes its own form of errors."""
    operation["security"] = [] if is_open(path) or not path.startswith(GUARDED) else SECURITY
    responses = operation["responses"]
    # FastAPI's own 422 tells of a form that is never answered.
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    if path.startswith("/v1/"):
        responses.pop("422", None)
        name = "OpenAIError"
        if path.startswith(ANTHROPIC):
            name, responses[str(OVERLOADED)] = "AnthropicError", responses.pop("503")
        for status, response in responses.items():
            if status >= "400":
                schema = {"$ref": f"#/components/schemas/{name}"}
                response["content"] = {"application/json": {"schema": schema}}
