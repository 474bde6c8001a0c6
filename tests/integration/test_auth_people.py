"""Mail, forgotten passwords, confirmed registrations and the counting of attempts, on the real database."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1 import people_pb2 as people
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from pydantic import SecretStr

from auth_service.app import compose
from auth_service.settings import AttemptSettings, AuthSection, JwtSettings, MailSettings, PasswordSettings, Settings
from chassis.context import RequestContext
from chassis.errors import InvalidArgument, ResourceExhausted, Unauthenticated, Unavailable
from chassis.settings import DatabaseSettings, WireSettings
from tests.integration.conftest import ROOT, Serve
from tests.standins.smtp_server import Mailbox, smtp_server

PASSWORD, OTHER = "correct horse battery", "staple correct horse"
CHEAP = PasswordSettings(memory_kib=19_456, passes=1, lanes=1)

Start = Callable[..., Any]


@pytest.fixture
def start(migrated: Callable[[str], DatabaseSettings], serve: Serve) -> Start:
    """Serves the auth service with other settings than the usual ones."""

    @asynccontextmanager
    async def starting(mailbox: Mailbox | None = None, **section: Any) -> AsyncIterator[AuthServiceStub]:
        mail = MailSettings()
        if mailbox is not None:
            page = "https://console.example/links"
            mail = MailSettings(host="127.0.0.1", port=mailbox.port, security="none", page_url=page)
        settings = Settings(
            database=migrated("auth_service"),
            jwt=JwtSettings(secret_key=SecretStr("s" * 40)),
            auth=AuthSection(**({"password": CHEAP} | section)),
            mail=mail,
            wire=WireSettings(secret=SecretStr(ROOT.decode())),
        )
        async with serve("auth_service", settings, compose) as channel:
            yield AuthServiceStub(channel)

    return starting


def somebody(address: str = "192.0.2.1") -> RequestContext:
    return RequestContext("r", address=address)


NETWORKS = itertools.count(0x8000)


def new_email() -> str:
    return f"{uuid4().hex}@example.com"


async def register(stub: AuthServiceStub, email: str, address: str = "192.0.2.1") -> pb.RegisterResponse:
    request = pb.RegisterRequest(email=email, password=PASSWORD)
    made: pb.RegisterResponse = await stub.Register(request, context=somebody(address))
    return made


async def log_in(stub: AuthServiceStub, email: str, password: str, address: str = "192.0.2.1") -> pb.TokenPair:
    grant = pb.PasswordGrant(email=email, password=password)
    answer = await stub.IssueToken(pb.IssueTokenRequest(password=grant), context=somebody(address))
    pair: pb.TokenPair = answer.tokens
    return pair


def secret_in(text: str, purpose: str) -> str:
    _, found, rest = text.partition(f"https://console.example/links/{purpose}#token=")
    assert found, text
    return rest.split()[0]


async def test_a_forgotten_password_is_set_anew_by_mail_once_and_ends_every_session(start: Start) -> None:
    async with smtp_server() as box, start(box) as stub:
        email = new_email()
        made = await register(stub, email)
        await stub.RequestPasswordReset(people.RequestPasswordResetRequest(email=new_email()), context=somebody())
        await stub.RequestPasswordReset(people.RequestPasswordResetRequest(email=email.upper()), context=somebody())
        mail = await box.next()
        assert mail["To"] == email
        secret = secret_in(mail.get_content(), "password-reset")
        weak = people.ResetPasswordRequest(token=secret, password="password123")
        with pytest.raises(InvalidArgument):
            await stub.ResetPassword(weak, context=somebody())
        # What was too weak did not use the link up.
        good = people.ResetPasswordRequest(token=secret, password=OTHER)
        await stub.ResetPassword(good, context=somebody())
        with pytest.raises(InvalidArgument) as again:
            await stub.ResetPassword(good, context=somebody())
        assert again.value.reason == "BAD_LINK"
        with pytest.raises(Unauthenticated):
            await stub.IssueToken(pb.IssueTokenRequest(refresh_token=made.tokens.refresh_token), context=somebody())
        with pytest.raises(Unauthenticated):
            await log_in(stub, email, PASSWORD)
        assert (await log_in(stub, email, OTHER)).access_token
        assert box.mails == []


async def test_a_newer_link_ends_the_older(start: Start) -> None:
    async with smtp_server() as box, start(box) as stub:
        email = new_email()
        await register(stub, email)
        secrets = []
        for _ in range(2):
            await stub.RequestPasswordReset(people.RequestPasswordResetRequest(email=email), context=somebody())
            secrets.append(secret_in((await box.next()).get_content(), "password-reset"))
        with pytest.raises(InvalidArgument):
            await stub.ResetPassword(people.ResetPasswordRequest(token=secrets[0], password=OTHER), context=somebody())
        await stub.ResetPassword(people.ResetPasswordRequest(token=secrets[1], password=OTHER), context=somebody())


async def test_mail_waits_for_a_server_that_is_away(start: Start) -> None:
    async with smtp_server() as box, start(box) as stub:
        email = new_email()
        await register(stub, email)
        box.reply = "451 later"
        await stub.RequestPasswordReset(people.RequestPasswordResetRequest(email=email), context=somebody())
        await asyncio.sleep(0.5)
        assert box.mails == []
        box.reply = "250 ok"
        assert (await box.next())["To"] == email


async def test_a_confirmed_registration_tells_nobody_whether_there_is_an_account(start: Start) -> None:
    async with smtp_server() as box, start(box, confirm_registrations=True) as stub:
        email = new_email()
        request = pb.RegisterRequest(email=email, password=PASSWORD, tenant_name="Engines")
        first = await stub.Register(request, context=somebody())
        secret = secret_in((await box.next()).get_content(), "registration")
        with pytest.raises(Unauthenticated):
            await log_in(stub, email, PASSWORD)
        made = await stub.ConfirmRegistration(pb.ConfirmRegistrationRequest(token=secret), context=somebody())
        assert (made.tenant.name, made.user.email, made.user.role) == ("Engines", email, "owner")
        second = await stub.Register(request, context=somebody())
        assert first == second == pb.RegisterResponse(confirmation_sent=True)
        assert "account already" in (await box.next())["Subject"]
        with pytest.raises(InvalidArgument):
            await stub.ConfirmRegistration(pb.ConfirmRegistrationRequest(token=secret), context=somebody())


async def test_strangers_lock_nobody_out_of_where_they_were_before(start: Start) -> None:
    async with start(attempts=AttemptSettings(per_account=3)) as stub:
        email, home = new_email(), "198.51.100.7"
        await register(stub, email, home)
        for last in range(1, 6):
            with pytest.raises((Unauthenticated, ResourceExhausted)) as refused:
                await log_in(stub, email, "a wrong guess", f"203.0.113.{last}")
        assert refused.value.reason == "TOO_MANY_ATTEMPTS"
        assert (refused.value.retry_after or 0) > 0
        with pytest.raises(ResourceExhausted):
            # Even the right password gets nowhere from an unknown network now.
            await log_in(stub, email, PASSWORD, "203.0.113.99")
        assert (await log_in(stub, email, PASSWORD, home)).access_token
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                await log_in(stub, email, "a wrong guess", home)
        with pytest.raises(ResourceExhausted):
            await log_in(stub, email, PASSWORD, home)


async def test_an_unknown_address_is_counted_like_a_known_one(start: Start) -> None:
    async with start(attempts=AttemptSettings(per_account=2)) as stub:
        reasons: dict[str, list[tuple[str, str]]] = {}
        for email in (new_email(), new_email()):
            if not reasons:
                await register(stub, email, "198.51.100.8")
            found = []
            for last in range(1, 5):
                with pytest.raises((Unauthenticated, ResourceExhausted)) as refused:
                    await log_in(stub, email, "a wrong guess", f"203.0.113.{last}")
                found.append((refused.value.reason, refused.value.message))
            reasons[email] = found
        known, unknown = reasons.values()
        assert known == unknown
        assert [reason for reason, _ in known] == ["BAD_CREDENTIALS"] * 2 + ["TOO_MANY_ATTEMPTS"] * 2


async def test_one_network_gets_few_tries_over_all_accounts_and_attempts_at_once_get_no_more(start: Start) -> None:
    async with start(attempts=AttemptSettings(per_network=5), password_queue=100) as stub:
        network = f"2001:db8:{next(NETWORKS):x}:1::"

        async def attempt(number: int) -> str:
            try:
                await log_in(stub, new_email(), "a wrong guess", f"{network}{number:x}")
            except (Unauthenticated, ResourceExhausted) as error:
                return error.reason
            return ""

        found = await asyncio.gather(*(attempt(number) for number in range(1, 21)))
        assert sorted(found) == ["BAD_CREDENTIALS"] * 5 + ["TOO_MANY_ATTEMPTS"] * 15


async def test_a_right_password_does_not_count(start: Start) -> None:
    async with start(attempts=AttemptSettings(per_account=2, per_network=3)) as stub:
        email, home = new_email(), f"2001:db8:{next(NETWORKS):x}:2::1"
        await register(stub, email, home)
        for _ in range(6):
            await log_in(stub, email, PASSWORD, home)


async def test_a_full_pool_is_503_and_costs_no_attempt(start: Start) -> None:
    async with start(password_workers=1, password_queue=0, attempts=AttemptSettings(per_account=4)) as stub:
        email = new_email()
        await register(stub, email)
        results = await asyncio.gather(*(log_in(stub, email, PASSWORD) for _ in range(12)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, Unavailable)]
        assert refused
        assert {error.reason for error in refused} == {"LOGIN_BUSY"}
        assert (await log_in(stub, email, PASSWORD)).access_token


async def test_mails_to_one_address_are_few(start: Start) -> None:
    async with start() as stub:
        asked = people.RequestPasswordResetRequest(email=new_email())
        network = f"2001:db8:{next(NETWORKS):x}:3::1"
        for _ in range(3):
            await stub.RequestPasswordReset(asked, context=somebody(network))
        with pytest.raises(ResourceExhausted):
            await stub.RequestPasswordReset(asked, context=somebody(network))


async def test_two_owners_cannot_both_leave_at_once(start: Start) -> None:
    async with start() as stub:
        made = await register(stub, new_email())
        everything = ("members:manage", "tenant:manage", "inference", "documents:read", "documents:write",
                      "usage:read", "keys:manage", "audit:read")  # fmt: skip

        def acting(user_id: str) -> RequestContext:
            return RequestContext(
                "r", tenant_id=made.tenant.id, user_id=user_id, session_id=str(uuid4()), scopes=everything
            )

        first = acting(made.user.id)
        email = new_email()
        invited = await stub.CreateInvitation(people.CreateInvitationRequest(email=email, role="owner"), context=first)
        accepted = people.AcceptInvitationRequest(token=invited.token, password=PASSWORD)
        second = acting((await stub.AcceptInvitation(accepted, context=somebody())).user.id)
        left = await asyncio.gather(
            *(
                stub.RemoveMember(people.RemoveMemberRequest(user_id=who.user_id), context=who)
                for who in (first, second)
            ),
            return_exceptions=True,
        )
        assert sorted(getattr(result, "reason", "") for result in left) == ["", "LAST_OWNER"]


async def test_an_invitation_ends_with_the_standing_of_who_made_it(start: Start) -> None:
    async with start() as stub:
        made = await register(stub, new_email())
        owner = RequestContext(
            "r", tenant_id=made.tenant.id, user_id=made.user.id, scopes=tuple(made.user.scopes), session_id="s"
        )
        invited = await stub.CreateInvitation(
            people.CreateInvitationRequest(email=new_email(), role="admin"), context=owner
        )
        joined = people.AcceptInvitationRequest(token=invited.token, password=PASSWORD)
        admin = (await stub.AcceptInvitation(joined, context=somebody())).user
        by_admin = RequestContext("r", tenant_id=made.tenant.id, user_id=admin.id, scopes=tuple(admin.scopes))
        offered = await stub.CreateInvitation(
            people.CreateInvitationRequest(email=new_email(), role="admin"), context=by_admin
        )
        await stub.ChangeMemberRole(people.ChangeMemberRoleRequest(user_id=admin.id, role="viewer"), context=owner)
        late = people.AcceptInvitationRequest(token=offered.token, password=PASSWORD)
        with pytest.raises(InvalidArgument) as caught:
            await stub.AcceptInvitation(late, context=somebody())
        assert caught.value.reason == "BAD_LINK"
