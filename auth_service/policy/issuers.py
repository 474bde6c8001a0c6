"""What the claims of a foreign token mean."""

from collections.abc import Mapping

from auth_service.domain.errors import BadAssertion, IdentityRefused
from auth_service.domain.issuers import Identity, Issuer
from auth_service.policy import names
from auth_service.policy.roles import ROLES
from chassis.errors import InvalidArgument

MAX_SUBJECT = 255
MAX_CLAIM_NAME = 100
MAX_ROLES = 50


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
