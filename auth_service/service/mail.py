"""Links on their way: by mail where there is a server for it, else into the hands of who asked for them."""

from typing import Any

import structlog

from auth_service.domain.links import Link, Mailer, Purpose
from auth_service.domain.store import Repository
from auth_service.policy import links, mails

log = structlog.get_logger()

MAIL = "mail"
"""The kind of job that sends one."""


class Post:
    """Makes links and sends them. What waits to go out holds a link's id; the secret is computed when it goes."""

    def __init__(self, key: bytes, mailer: Mailer | None, page_url: str) -> None:
        """`key`: of the secrets; `mailer`: None where there is no server; `page_url`: where pages for links are."""
        self._key = key
        self._mailer = mailer
        self._page_url = page_url

    @property
    def mails(self) -> bool:
        """Whether links go by mail."""
        return self._mailer is not None

    async def send(self, repository: Repository, link: Link, to: str, **facts: str) -> str:
        """Stores the link and has it sent when the transaction commits. Its secret if there is no mail, else empty."""
        await repository.add_link(link)
        if self._mailer is None:
            return links.token_of(link.id, link.purpose, self._key)
        payload = {"to": to, "link": link.id, "purpose": link.purpose.value, "facts": facts}
        await repository.enqueue(MAIL, payload)
        return ""

    async def tell(self, repository: Repository, to: str, subject: str, text: str) -> None:
        """Has a mail without a link sent."""
        if self._mailer is not None:
            await repository.enqueue(MAIL, {"to": to, "subject": subject, "text": text})

    def page(self, purpose: Purpose, secret: str) -> str:
        """The link with a secret in it; empty without a secret or a page."""
        return links.page(self._page_url, purpose, secret) if secret else ""

    def id_of(self, token: str, purpose: Purpose) -> str | None:
        """The id of the link whose secret this is, if we made it."""
        return links.id_of(token, purpose, self._key)

    async def deliver(self, payload: dict[str, Any]) -> None:
        """Sends one mail. MailFailed, MailRefused."""
        if self._mailer is None:
            log.warning("a mail is not sent: no server is set any more")
            return
        if "text" in payload:
            await self._mailer.send(payload["to"], payload["subject"], payload["text"])
            return
        purpose = Purpose(payload["purpose"])
        secret = links.token_of(payload["link"], purpose, self._key)
        subject, text = mails.compose(purpose, self.page(purpose, secret) or secret, payload["facts"])
        await self._mailer.send(payload["to"], subject, text)
