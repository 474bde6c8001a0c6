"""An SMTP server on the wire: takes mail and keeps it. Enough of RFC 5321 for smtplib, and a reply that can be set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.promptness import PATIENCE


@dataclass
class Mailbox:
    """What came, and how recipients are answered."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    reply: str = "250 ok"
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self) -> EmailMessage:
        """The next mail, removed from the box."""
        while not self.mails:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), PATIENCE)
        return self.mails.pop(0)


@asynccontextmanager
async def smtp_server() -> AsyncIterator[Mailbox]:
    """Listens on a free port of loopback."""
    box = Mailbox()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say("220 here")
        while line := (await reader.readline()).decode().strip():
            match line.split(" ", 1)[0].upper():
                case "RCPT":
                    await say(box.reply)
                case "DATA":
                    await say("354 go on")
                    raw = await reader.readuntil(b"\r\n.\r\n")
                    box.mails.append(message_from_bytes(raw[:-5].replace(b"\r\n..", b"\r\n."), policy=policy.default))
                    box.arrived.set()
                    await say("250 taken")
                case "QUIT":
                    await say("221 bye")
                    break
                case _:
                    await say("250 ok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box
