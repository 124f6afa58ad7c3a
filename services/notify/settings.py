"""What notify is told by its environment."""

from typing import Annotated, Final
from urllib.parse import urlparse

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic import field_validator as validates

from libs.runtime.settings import (
    PORT,
    DeploymentSettings,
    MongoSettings,
    ServiceSettings,
    SigningKey,
)

SMTP_SCHEMES: Final = ("smtp", "smtps", "smtp+starttls")


def _none_if_empty(value: object) -> object:
    return value or None


def _smtp_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        parsed = urlparse(value.get_secret_value())
        if parsed.scheme not in SMTP_SCHEMES or not parsed.hostname:
            raise ValueError(f"must be {'://, '.join(SMTP_SCHEMES)}:// and a host")
    return value


def _address(value: str | None) -> str | None:
    if value is not None and not all(value.rpartition("@")[::2]):
        raise ValueError("must be an e-mail address")
    return value


class NotifySettings(ServiceSettings, DeploymentSettings, MongoSettings):
    """Without ``notify_smtp_url`` nothing is sent by e-mail; an empty text is as good as none.

    ``smtp`` turns to TLS where the server offers it, ``smtp+starttls`` insists on it, ``smtps`` is
    TLS from the first byte. User and password stand in the URL, percent-encoded.
    """

    notify_signing_key: SigningKey = Field(description="notify signs its calls with it")
    notify_port: int = Field(8104, ge=0, le=65535, description=PORT)
    notify_console_url: str = Field(
        pattern="^https?://", description="where the team opens a case; links in e-mails begin so"
    )
    notify_smtp_url: Annotated[
        SecretStr | None, AfterValidator(_smtp_url), BeforeValidator(_none_if_empty)
    ] = Field(
        None,
        description="the mail server: smtp://, smtps:// or smtp+starttls://, user and password in"
        " it percent-encoded; no e-mail is sent where it is not set",
    )
    notify_email_from: Annotated[
        str | None, AfterValidator(_address), BeforeValidator(_none_if_empty)
    ] = Field(
        None,
        validate_default=True,
        description="the sender of e-mails; needed with the mail server",
    )
    notify_retry_seconds: float = Field(
        30,
        gt=0,
        description="the pause after the first failed try of an e-mail, or of a case for a CRM; "
        "each next is twice it",
    )

    @validates("notify_email_from")
    @classmethod
    def _sender_for_smtp(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("notify_smtp_url") is not None:
            raise ValueError("must be set where PARLEY_NOTIFY_SMTP_URL is")
        return value
