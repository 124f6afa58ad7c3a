"""A real SMTP server on a free port, which answers as it is told."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP as SmtpProtocol
from aiosmtpd.smtp import AuthResult

ACCEPTED = "250 OK"


class SmtpServer:
    """``rcpt_answers`` and ``data_answers`` are used up one by one, then everything is accepted.

    An answer of None to DATA closes the connection without a word.
    """

    def __init__(self) -> None:
        self.rcpt_answers: list[str] = []
        self.data_answers: list[str | None] = []
        self.accepted: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.tries = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.accepted]

    async def handle_RCPT(  # aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        answer = self.rcpt_answers.pop(0) if self.rcpt_answers else ACCEPTED
        self.tries += 1
        if answer == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # aiosmtpd's name
        self, server: Any, _session: Any, envelope: Any
    ) -> str:
        answer = self.data_answers.pop(0) if self.data_answers else ACCEPTED
        if answer is None:
            server.transport.abort()
            return ACCEPTED
        if answer == ACCEPTED:
            parsed = message_from_bytes(envelope.content, policy=policy.default)
            self.accepted.append(parsed)
            self.recipients += envelope.rcpt_tos
        return answer


@asynccontextmanager
async def smtp_server(user: str = "", password: str = "") -> AsyncIterator[SmtpServer]:
    """With a ``user`` it takes mail from nobody else."""
    handler = SmtpServer()
    loop = asyncio.get_running_loop()

    def authenticate(
        _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any
    ) -> AuthResult:
        known = (given.login.decode(), given.password.decode()) == (user, password)
        return AuthResult(success=known, handled=False)

    def protocol() -> SmtpProtocol:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a password without TLS is not safe
            return SmtpProtocol(
                handler,
                hostname="localhost",
                loop=loop,
                authenticator=authenticate,
                auth_required=bool(user),
                auth_require_tls=False,
            )

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        await server.wait_closed()
