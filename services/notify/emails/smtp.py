"""One e-mail to one address by SMTP, and what became of it.

The steps are taken one by one, for it matters which of them failed: before DATA nothing was handed
over; an answer to DATA is final; no answer after it leaves the end unknown (RFC 5321, 4.2.5 and
4.5.3.2).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlparse

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.notify.emails.texts import Text

PREPARE_TIMEOUT_SECONDS: Final = 40.0  # under the lease for sending
DATA_TIMEOUT_SECONDS: Final = 120.0  # under the lease for the handover
_COMMAND_TIMEOUT_SECONDS: Final = 20.0
_POLICY: Final = policy.SMTP.clone(cte_type="7bit")  # understood by every server
_DEFAULT_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class EmailOutcome(StrEnum):
    SENT = "sent"
    RETRY = "retry"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class EmailResult:
    """``reason`` holds the server's code, not its words: they repeat the address."""

    outcome: EmailOutcome
    reason: str = ""


class Unwritable(Exception):
    """The address or a name cannot stand in an e-mail."""


def written(text: Text, sender: str, recipient: str, message_id: str, at: datetime) -> EmailMessage:
    """``message_id`` is the part before the ``@``: the same for every try. Errors: Unwritable."""
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = sender
        message["To"] = recipient
        message["Subject"] = text.subject
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text.body)
        message.as_bytes()
    except ValueError as error:
        raise Unwritable("the e-mail cannot be written") from error
    return message


class Mailer:
    """``url`` as the settings have it."""

    def __init__(self, url: str, sender: str) -> None:
        parsed = urlparse(url)
        self.sender = sender
        self._host = parsed.hostname or ""
        self._port = parsed.port or _DEFAULT_PORTS[parsed.scheme]
        self._user = unquote(parsed.username) if parsed.username else None
        self._password = unquote(parsed.password) if parsed.password else None
        self._use_tls = parsed.scheme == "smtps"
        self._start_tls = True if parsed.scheme == "smtp+starttls" else None
        if self._use_tls:
            self._start_tls = False

    async def send(
        self, message: EmailMessage, recipient: str, hand_over: Callable[[], Awaitable[bool]]
    ) -> EmailResult | None:
        """What became of it; None where ``hand_over`` (asked just before DATA) said no."""
        client = SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._use_tls,
            start_tls=self._start_tls,
            timeout=_COMMAND_TIMEOUT_SECONDS,
            local_hostname=socket.gethostname(),  # the default asks DNS for its full name
        )
        try:
            refused = await self._prepare(client, recipient)
            if refused is not None:
                return refused
            if not await hand_over():
                return None
            return await _give(client, message.as_bytes())
        finally:
            with suppress(SMTPException, OSError):
                await client.quit(timeout=1)
            client.close()

    async def _prepare(self, client: SMTP, recipient: str) -> EmailResult | None:
        """Connect, sign in, name sender and recipient. None: the server waits for the e-mail."""
        is_open = False
        try:
            async with asyncio.timeout(PREPARE_TIMEOUT_SECONDS):
                await client.connect()
                is_open = True
                await client.mail(self.sender)
                await client.rcpt(recipient)
        except SMTPResponseException as error:
            # What refuses the session (a wrong password) is mended by the operator: it can wait.
            return _answered(error) if is_open else _not_now(error)
        except (SMTPException, OSError) as error:
            return _not_now(error)
        except UnicodeEncodeError:
            return EmailResult(EmailOutcome.FAILED, "the address is not plain ASCII")
        return None


async def _give(client: SMTP, message: bytes) -> EmailResult:
    try:
        async with asyncio.timeout(DATA_TIMEOUT_SECONDS):
            await client.data(message, timeout=DATA_TIMEOUT_SECONDS)
    except SMTPResponseException as error:
        return _answered(error)
    except (SMTPException, OSError) as error:
        return EmailResult(EmailOutcome.UNCERTAIN, f"no answer after the e-mail: {_brief(error)}")
    return EmailResult(EmailOutcome.SENT)


def _answered(error: SMTPResponseException) -> EmailResult:
    outcome = EmailOutcome.FAILED if error.code >= 500 else EmailOutcome.RETRY
    return EmailResult(outcome, f"{type(error).__name__} {error.code}")


def _not_now(error: Exception) -> EmailResult:
    return EmailResult(EmailOutcome.RETRY, f"no session: {_brief(error)}")


def _brief(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
