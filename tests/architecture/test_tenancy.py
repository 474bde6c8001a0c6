"""No query on tenants' rows without a tenant: of auth_service's repository, method by method."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_THE_PLATFORM = {
    "signing": "the platform's own keys",
    "changes": "ids only, for gateways",
    "attempts": "nobody is known yet",
    "deletions": "a deletion outlives its tenant, and who asks for one has nothing but its id",
    "links": "found by the secret in them, before anybody is known",
}
"""Modules of the repository whose rows belong to no tenant, and why."""
KNOWN_BY = {
    "tenant_id": "a tenant",
    "tenant": "the tenant itself",
    "key": "carries its tenant",
    "session": "carries its tenant",
    "invitation": "carries its tenant",
    "invitation_id": "an invitation is accepted by the secret in its link, before anybody is known",
    "issuer": "carries its tenant; or the claim of a log-in, when nobody is known yet",
    "issuer_id": "out of a row that was found by the claim of a verified token",
    "session_id": "an id out of the signed context, or of a row that was found by tenant",
    "user_id": "a person, who may belong to several tenants; out of the signed context",
    "user": "a person",
    "email": "a log-in: nobody is known yet",
    "token_hash": "a log-in by a secret of full entropy",
    "key_id": "a lookup by a secret's id, compared by hash",
    "used": "when keys were used, by their ids",
    "before": "housekeeping by age, of the platform",
    "now": "housekeeping by age, of the platform",
}
WHOLE_PLATFORM = {
    "platform_issuers": "what the operator trusts",
    "list_tenants": "for operators",
    "audit_chains": "verifies every chain, by command",
}


def test_no_query_is_made_without_saying_for_whom() -> None:
    silent = []
    for path in sorted((ROOT / "auth_service/repository").glob("*.py")):
        if path.stem in OF_THE_PLATFORM or path.stem == "store":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.AsyncFunctionDef) or node.name in WHOLE_PLATFORM:
                continue
            names = [argument.arg for argument in node.args.args[1:]]
            if not names or names[0] not in KNOWN_BY:
                silent.append(f"{path.stem}.{node.name}({', '.join(names)})")
    assert silent == []


def test_every_transaction_is_for_somebody() -> None:
    """A service opens a transaction for a tenant, or says out loud that the platform itself acts."""
    (opened,) = [
        node
        for node in ast.walk(ast.parse((ROOT / "auth_service/domain/store.py").read_text()))
        if isinstance(node, ast.ClassDef) and node.name == "Store"
    ]
    methods = {
        node.name: [a.arg for a in node.args.args[1:]] for node in opened.body if isinstance(node, ast.FunctionDef)
    }
    assert methods == {"transaction": ["tenant_id"], "platform": []}
