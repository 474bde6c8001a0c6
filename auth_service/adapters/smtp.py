"""Mailer over SMTP with the standard library, in a thread: one connection a mail, since mails are few."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr

from auth_service.domain.errors import MailFailed, MailRefused

PERMANENT = 500
"""SMTP's replies from here on will not change by trying again."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where the server is, and who sends. `security` is starttls, tls or none."""

    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    sender: str
    seconds: float


class SmtpMailer:
    """Sends text, encrypted on the way unless a setting says otherwise."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, to: str, subject: str, text: str) -> None:
        message = EmailMessage()
        message["From"] = self._server.sender
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=parseaddr(self._server.sender)[1].rpartition("@")[2] or None)
        # So that nobody's notice of absence answers it.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            await asyncio.to_thread(self._send, message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise (MailRefused if min(codes) >= PERMANENT else MailFailed) from error
        except smtplib.SMTPResponseException as error:
            raise (MailRefused if error.smtp_code >= PERMANENT else MailFailed) from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailFailed from error

    def _send(self, message: EmailMessage) -> None:
        at, context = self._server, ssl.create_default_context()
        if at.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(at.host, at.port, timeout=at.seconds, context=context)
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=at.seconds)
        with server:
            if at.security == "starttls":
                server.starttls(context=context)
            if at.user:
                server.login(at.user, at.password)
            server.send_message(message)
