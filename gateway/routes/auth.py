"""Registration, tokens, the caller's tenant and user."""

from typing import Annotated, Any
from urllib.parse import parse_qs

import orjson
from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1 import people_pb2 as people
from fastapi import APIRouter, Request, Response
from pydantic import Field, TypeAdapter, ValidationError

from chassis.context import RequestContext
from gateway.admission import Call
from gateway.errors import BadBody, BodyTooLarge, UnsupportedMediaType, bad_body
from gateway.routes.common import AUTHENTICATED, Body, Services, StrictRoute, iso, managed, problems

router = APIRouter(route_class=StrictRoute, prefix="/api/v1", tags=["identity"])

MAX_BYTES = 32 * 1024


class Registration(Body):
    """A new tenant's first user."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"email": "ada@example.com", "password": "correct horse battery", "tenant_name": "Analytical Engines"}
    ]}}  # fmt: skip

    email: Annotated[str, Field(max_length=320)]
    password: Annotated[str, Field(max_length=1024)]
    full_name: Annotated[str, Field(max_length=400)] = ""
    tenant_name: Annotated[str, Field(max_length=400)] = ""


JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT = f"^(password|refresh_token|{JWT_BEARER})$"


class TokenRequest(Body):
    """A password, a refresh token, or a token of an identity provider that a tenant trusts (RFC 7523)."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"email": "ada@example.com", "password": "correct horse battery"},
        {"grant_type": "refresh_token", "refresh_token": "the one from the last answer"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "an ID token"},
    ]}}  # fmt: skip

    grant_type: Annotated[str, Field(pattern=GRANT)] = "password"
    email: Annotated[str, Field(max_length=320)] = ""
    username: Annotated[str, Field(max_length=320)] = ""
    password: Annotated[str, Field(max_length=1024)] = ""
    refresh_token: Annotated[str, Field(max_length=1024)] = ""
    assertion: Annotated[str, Field(max_length=16_384)] = ""
    tenant_id: Annotated[str, Field(max_length=64)] = ""
    scope: Annotated[str, Field(max_length=1024)] = ""
    client_id: Annotated[str, Field(max_length=1024)] = ""
    client_secret: Annotated[str, Field(max_length=1024)] = ""


class Secret(Body):
    """The secret of a link."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"token": "the secret out of the link"}]}}

    token: Annotated[str, Field(min_length=1, max_length=256)]


class ResetRequest(Body):
    """Whose password is forgotten."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"email": "ada@example.com"}]}}

    email: Annotated[str, Field(max_length=320)]


class Reset(Secret):
    """A new password."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"token": "the secret out of the link", "password": "correct horse battery"}
    ]}}  # fmt: skip

    password: Annotated[str, Field(max_length=1024)]


class TenantUpdate(Body):
    """What a tenant may change of itself."""

    name: Annotated[str, Field(min_length=1, max_length=400)] | None = None


class UserUpdate(Body):
    """What a user may change of themselves."""

    full_name: Annotated[str, Field(max_length=400)] | None = None
    password: Annotated[str, Field(max_length=1024)] | None = None
    current_password: Annotated[str, Field(max_length=1024)] | None = None


CONFIRMATION: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Where addresses are confirmed first: a mail was sent, whether there is an account or not",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"status": "confirmation_sent"}}},
    }
}


@router.post(
    "/auth/register",
    status_code=201,
    responses=problems(409, 422, 429, 503) | CONFIRMATION,
    operation_id="register",
)
async def register(body: Registration, request: Request, response: Response, services: Services) -> dict[str, Any]:
    """Registers a tenant with its first user, and logs that user in."""
    made = await services.auth.Register(pb.RegisterRequest(**body.model_dump()), context=nobody(request))
    if made.confirmation_sent:
        response.status_code = 202
        return {"status": "confirmation_sent"}
    return logged_in(made)


@router.post(
    "/auth/register/confirm",
    status_code=201,
    responses=problems(409, 422, 429, 503),
    operation_id="confirmRegistration",
)
async def confirm(body: Secret, request: Request, services: Services) -> dict[str, Any]:
    """Makes what was registered, with the secret out of the mail."""
    made = await services.auth.ConfirmRegistration(
        pb.ConfirmRegistrationRequest(token=body.token), context=nobody(request)
    )
    return logged_in(made)


@router.post(
    "/auth/password-reset", status_code=202, responses=problems(422, 429, 503), operation_id="requestPasswordReset"
)
async def request_reset(body: ResetRequest, request: Request, services: Services) -> dict[str, str]:
    """Sends a link for a new password, if the address has an account; the answer is always the same."""
    asked = people.RequestPasswordResetRequest(email=body.email)
    await services.auth.RequestPasswordReset(asked, context=nobody(request))
    return {"status": "sent_if_known"}


@router.post(
    "/auth/password-reset/confirm",
    status_code=204,
    responses=problems(422, 429, 503),
    operation_id="resetPassword",
)
async def reset(body: Reset, request: Request, services: Services) -> None:
    """Sets a new password with the secret out of the link, once, and ends every session of the user."""
    asked = people.ResetPasswordRequest(token=body.token, password=body.password)
    await services.auth.ResetPassword(asked, context=nobody(request))


TOKEN_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/TokenRequest"}},
            "application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/TokenRequest"}},
        },
    }
}


@router.post(
    "/auth/token", responses=problems(401, 403, 413, 415, 422, 429, 503), operation_id="token", openapi_extra=TOKEN_BODY
)
async def token(request: Request, services: Services) -> dict[str, Any]:
    """Tokens by password or refresh token, as the OAuth2 form or JSON (the form's username is the e-mail address)."""
    asked = _token_request(await request.body(), request.headers.get("content-type", ""))
    email = asked.email or asked.username
    if asked.grant_type == "refresh_token":
        grant = pb.IssueTokenRequest(refresh_token=asked.refresh_token)
    elif asked.grant_type == JWT_BEARER:
        grant = pb.IssueTokenRequest(assertion=asked.assertion)
    else:
        grant = pb.IssueTokenRequest(password=pb.PasswordGrant(email=email, password=asked.password))
    grant.tenant_id = asked.tenant_id
    answer = await services.auth.IssueToken(grant, context=nobody(request))
    return _tokens(answer.tokens)


@router.post("/auth/logout", status_code=204, responses=AUTHENTICATED, operation_id="logout")
async def logout(services: Services, call: Call = managed("")) -> None:
    """Ends the session: its refresh tokens, and within a second its access tokens."""
    await services.auth.RevokeSession(pb.RevokeSessionRequest(), context=call.context)


@router.get("/tenants/me", responses=AUTHENTICATED, operation_id="getTenant")
async def get_tenant(services: Services, call: Call = managed("")) -> dict[str, Any]:
    """The caller's tenant."""
    return tenant_document((await services.auth.GetTenant(pb.GetTenantRequest(), context=call.context)).tenant)


@router.put("/tenants/me", responses=AUTHENTICATED | problems(422), operation_id="updateTenant")
async def put_tenant(body: TenantUpdate, services: Services, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """Renames the caller's tenant."""
    change = pb.UpdateTenantRequest(**body.model_dump(exclude_none=True))
    return tenant_document((await services.auth.UpdateTenant(change, context=call.context)).tenant)


@router.get("/users/me", responses=AUTHENTICATED, operation_id="getUser")
async def get_user(services: Services, call: Call = managed("")) -> dict[str, Any]:
    """The calling user."""
    return _user((await services.auth.GetUser(pb.GetUserRequest(), context=call.context)).user)


@router.put("/users/me", responses=AUTHENTICATED | problems(422), operation_id="updateUser")
async def put_user(body: UserUpdate, services: Services, call: Call = managed("")) -> dict[str, Any]:
    """Changes the calling user. A new password needs the current one, and ends the other sessions."""
    change = pb.UpdateUserRequest(**body.model_dump(exclude_none=True))
    return _user((await services.auth.UpdateUser(change, context=call.context)).user)


def nobody(request: Request) -> RequestContext:
    """The context of a call for which nobody need be known."""
    return RequestContext(request.state.request_id, address=request.state.address)


_TOKEN_REQUEST = TypeAdapter(TokenRequest)


def _token_request(body: bytes, content_type: str) -> TokenRequest:
    if len(body) > MAX_BYTES:
        raise BodyTooLarge
    media_type = content_type.split(";", maxsplit=1)[0].strip().lower()
    try:
        if media_type == "application/x-www-form-urlencoded":
            fields = parse_qs(body.decode(), max_num_fields=20, strict_parsing=bool(body), keep_blank_values=True)
            document: Any = {name: values[0] for name, values in fields.items()}
        elif media_type in ("application/json", ""):
            document = orjson.loads(body)
        else:
            raise UnsupportedMediaType
        return _TOKEN_REQUEST.validate_python(document)
    except ValidationError as error:
        raise bad_body([item | {"loc": ("body", *item["loc"])} for item in error.errors()]) from error
    except ValueError as error:
        raise BadBody("The body is not a valid form or JSON.") from error


def logged_in(made: Any) -> dict[str, Any]:
    """A tenant, a user in it, and tokens."""
    return {"tenant": tenant_document(made.tenant), "user": _user(made.user), **_tokens(made.tokens)}


def _tokens(pair: pb.TokenPair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "token_type": "bearer",
        "expires_in": pair.expires_in_seconds,
    }


STATUS = {pb.TENANT_STATUS_SUSPENDED: "suspended", pb.TENANT_STATUS_DELETING: "deleting"}


def tenant_document(tenant: pb.Tenant) -> dict[str, Any]:
    status = STATUS.get(tenant.status, "active")
    return {
        "id": tenant.id,
        "name": tenant.name,
        "plan": tenant.plan,
        "status": status,
        "created_at": iso(tenant.create_time),
    }


def _user(user: pb.User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "full_name": user.full_name,
        "role": user.role,
        "created_at": iso(user.create_time),
    }
