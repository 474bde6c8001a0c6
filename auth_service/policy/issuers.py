"""What the claims of a foreign token mean."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from auth_service.domain.errors import BadAssertion, IdentityRefused
from auth_service.domain.issuers import Identity, Issuer, PlatformIssuer
from auth_service.policy import names
from auth_service.policy.roles import ROLES
from chassis.errors import InvalidArgument

MAX_SUBJECT = 255
MAX_CLAIM_NAME = 100
MAX_ROLES = 50
_ROWS = UUID("8d3a3fd2-3a5b-4a7e-9d5f-0f3c2a8f6e41")


def identity_of(claims: Mapping[str, object], issuer: Issuer) -> Identity:
    """Who a verified token speaks of. BadAssertion without subject or address; IdentityRefused without a role."""
    subject, email = claims.get("sub"), claims.get(issuer.email_claim)
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT or not isinstance(email, str):
        raise BadAssertion("The token names no subject and address.")
    if claims.get("email_verified") is False:
        raise IdentityRefused("The identity provider has not verified this address.")
    role = _role(claims, issuer)
    if not role:
        raise IdentityRefused("The identity provider gives this person no role here.")
    try:
        address = names.normal_email(email)
        full_name = names.normal_name("name", str(claims.get(issuer.name_claim) or "")[:200], least=0, most=200)
    except InvalidArgument as error:
        raise BadAssertion from error
    return Identity(subject, address, full_name, role)


def for_tenant(platform: PlatformIssuer, claims: Mapping[str, object], asked: str, now: datetime) -> Issuer:
    """What the platform's issuer is to the tenant that a verified token, or who logs in, names.

    BadAssertion for a tenant that it may not speak for; InvalidArgument where nothing names one.
    """
    named = claims.get(platform.tenant_claim) if platform.tenant_claim else None
    tenant_id = str(named or asked or (next(iter(platform.tenants)) if len(platform.tenants) == 1 else ""))
    if not tenant_id:
        raise names.invalid("tenant_id", "is needed: the identity provider speaks for several tenants")
    if platform.tenants and tenant_id not in platform.tenants:
        raise BadAssertion
    # Without a list, only what the issuer itself has signed says for whom it speaks.
    if (not platform.tenants and not named) or (asked and asked != tenant_id) or not names.is_id(tenant_id):
        raise BadAssertion
    template = platform.template
    row = uuid5(_ROWS, f"{template.issuer}\n{template.audience}\n{tenant_id}")
    return replace(template, id=str(row), tenant_id=tenant_id, created_at=now)


def _role(claims: Mapping[str, object], issuer: Issuer) -> str:
    """The highest that a value of the role claim gives."""
    value = claims.get(issuer.role_claim) if issuer.role_claim else None
    values = value if isinstance(value, list) else [value]
    given = {issuer.roles[one] for one in values if isinstance(one, str) and one in issuer.roles}
    return next((role for role in ROLES if role in given), issuer.default_role)


def check_roles(roles: Mapping[str, str]) -> None:
    """InvalidArgument for too many, or names that are too long. Which roles may be given, policy.roles says."""
    if len(roles) > MAX_ROLES or any(not 1 <= len(value) <= 200 for value in roles):
        raise names.invalid("roles", f"must map at most {MAX_ROLES} values of 1 to 200 characters")


def check_claim(field: str, name: str, *, least: int = 1) -> None:
    """InvalidArgument for what is no name of a claim."""
    if not least <= len(name) <= MAX_CLAIM_NAME or not name.isprintable():
        raise names.invalid(field, f"must have {least} to {MAX_CLAIM_NAME} visible characters")
