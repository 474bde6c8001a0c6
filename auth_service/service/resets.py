"""New passwords for those who forgot theirs."""

from datetime import timedelta
from typing import Any

import structlog

from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import BadLink, UserNotFound
from auth_service.domain.links import Link, Purpose
from auth_service.domain.people import Visitor
from auth_service.domain.store import Repository, Store
from auth_service.policy import links, names
from auth_service.service.attempts import Attempts
from auth_service.service.clock import Clock
from auth_service.service.mail import Post
from auth_service.service.passwords import Passwords

log = structlog.get_logger()

RESET = "reset"
"""The kind of job that looks whether the address has an account."""


class Resets:
    """To ask costs and answers the same for every address: whether it has an account is looked at behind the call."""

    def __init__(
        self, store: Store, passwords: Passwords, attempts: Attempts, post: Post, life: timedelta, clock: Clock
    ) -> None:
        """`life`: how long a link is good for."""
        self._store = store
        self._passwords = passwords
        self._attempts = attempts
        self._post = post
        self._life = life
        self._clock = clock

    async def request(self, email: str, visitor: Visitor) -> None:
        """InvalidArgument for what is no address; TooManyAttempts."""
        email = names.normal_email(email)
        async with self._store.platform() as repository:
            await self._attempts.begin_mail(repository, email, visitor.address)
            await repository.enqueue(RESET, {"email": email})

    async def prepare(self, payload: dict[str, Any]) -> None:
        """The job: sends a link if the address has an account."""
        email = payload["email"]
        async with self._store.platform() as repository:
            account = await repository.find_account(email)
            if account is None:
                return
            if not self._post.mails:
                # Whoever runs the platform can make the link: `python -m auth_service reset --email`.
                log.warning("a password reset was asked for, and no mail server is set", user_id=account.user_id)
                return
            await self._send(repository, account.user_id, email)

    async def link_for(self, email: str) -> tuple[str, str]:
        """For the operator: the secret, and the link if there is a page for it. UserNotFound, InvalidArgument."""
        email = names.normal_email(email)
        async with self._store.platform() as repository:
            account = await repository.find_account(email)
            if account is None:
                raise UserNotFound
            secret = await self._send(repository, account.user_id, email)
        return secret, self._post.page(Purpose.PASSWORD_RESET, secret)

    async def reset(self, token: str, password: str, visitor: Visitor) -> None:
        """Sets the password and ends every session of the user. BadLink, WeakPassword, LoginBusy."""
        link_id = self._post.id_of(token, Purpose.PASSWORD_RESET)
        async with self._store.platform() as repository:
            now = self._clock()
            link = await repository.get_link(link_id, Purpose.PASSWORD_RESET, now) if link_id else None
        if link is None:
            raise BadLink
        # A weak password does not use the link up, and no transaction is open while the hash is computed.
        hashed = await self._passwords.hashed(password, link.payload["email"])
        async with self._store.platform() as repository:
            if await repository.take_link(link.id, Purpose.PASSWORD_RESET, self._clock()) is None:
                raise BadLink
            await repository.update_user(link.subject, full_name=None, password_hash=hashed)
            ended = await repository.revoke_other_sessions(link.subject, "")
            for membership in await repository.list_memberships(link.subject):
                done = Deed("user.update", link.subject, after={"password": "reset"}, user_id=link.subject)
                repository.record(membership.tenant_id, done)
            await repository.add_changes([(Subject.SESSION, session_id) for session_id in ended])
            await self._attempts.succeed(repository, link.subject, visitor.address)

    async def _send(self, repository: Repository, user_id: str, email: str) -> str:
        link = Link(
            links.new_id(), Purpose.PASSWORD_RESET, user_id, self._clock() + self._life, payload={"email": email}
        )
        return await self._post.send(repository, link, email)
