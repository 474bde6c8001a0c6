"""Nothing is changed that the audit log does not hear of: by the use cases of identity, and by any route."""

import ast
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

from gateway.app import ROUTERS

ROOT = Path(__file__).parents[2]
CHANGING = ("add_", "update_", "end_", "revoke_", "set_", "remove_", "delete_", "rename_", "replace_", "use_")
SILENT_QUERIES = {
    "add_changes": "tells gateways of what is recorded beside it",
    "add_refresh_token": "a session's own course: its begin and its end are recorded",
    "use_refresh_token": "a session's own course",
    "add_link": "what it is for is recorded beside it, and its use",
    "end_links": "as add_link",
}
SILENT_FUNCTIONS: dict[str, str] = {}
"""module.function of auth_service/service that need not record, and why."""

RECORDED_BY_AUTH = {"auth", "deletions", "invitations", "issuers", "keys", "members", "sessions", "signing"}
"""Routers whose deeds auth_service does, and so records in the deed's own transaction."""
SILENT_ROUTES = {
    "uploadDocument": "a call of the AI kind: it stands in the usage ledger",
    "replaceDocument": "records by itself, since it is admitted as a call of the AI kind",
    "previewUsage": "reads",
    "testGuardrails": "reads",
    "cancelResponse": "changes nothing: it is refused",
    "rerank": "reads",
    "ragGenerate": "reads",
    "ragChat": "reads",
    "evaluateSearch": "reads",
    "transcribe": "in the ledger",
    "speak": "in the ledger",
    "createFile": "its bytes stand in the usage ledger, as a document's",
    "createVectorStore": "records by itself, since it may be admitted as a call of the AI kind",
    "createVectorStoreFile": "in the ledger, as an uploaded document",
    "createVectorStoreFileBatch": "in the ledger, as an uploaded document",
    "searchVectorStore": "reads",
    "deleteFile": "as deleteDocument",
    "deleteVectorStore": "as deleteDocument",
    "deleteVectorStoreFile": "as deleteDocument",
    "deleteCollection": "as deleteDocument",
    "deleteDocument": "records by itself, since it is admitted as an effect on storage",
    "deleteDocuments": "as deleteDocument",
    "adminPatchTenant": "auth_service records it, limits and all",
    "adminCreateTenant": "auth_service records it",
}


def test_every_use_case_that_changes_something_records_it() -> None:
    silent = []
    for path in sorted((ROOT / "auth_service/service").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncFunctionDef):
                called = set(_called(node))
                changing = {name for name in called if name.startswith(CHANGING)} - set(SILENT_QUERIES)
                if changing and "record" not in called and f"{path.stem}.{node.name}" not in SILENT_FUNCTIONS:
                    silent.append(f"{path.stem}.{node.name}: {sorted(changing)}")
    assert silent == []


def _called(node: ast.AST) -> Iterator[str]:
    """Methods called on a repository."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            owner = inner.func.value
            if isinstance(owner, ast.Name) and owner.id == "repository":
                yield inner.func.attr


def test_every_route_that_changes_something_is_recorded() -> None:
    """A route says `managed(..., audit="noun.verb")`, or is of auth_service, or stands in the table with its reason."""
    silent = []
    for route in _routes():
        if (route.methods or set()) <= {"GET", "HEAD"} or route.operation_id in SILENT_ROUTES:
            continue
        module = route.endpoint.__module__.rpartition(".")[2]
        declared = any(getattr(one.call, "audit", "") for one in route.dependant.dependencies)
        if not declared and module not in RECORDED_BY_AUTH:
            silent.append(f"{module}: {route.operation_id}")
    assert silent == []


def test_the_table_of_exceptions_has_nothing_that_is_gone() -> None:
    assert set(SILENT_ROUTES) - {route.operation_id for route in _routes()} == set()


def _routes() -> Iterator[APIRoute]:
    for module in ROUTERS:
        yield from (route for route in module.router.routes if isinstance(route, APIRoute))
