"""What pigeons can do, and what opens a loft."""

from typing import ClassVar, Final

from libs.events.channels import (
    ButtonLimits,
    Capabilities,
    ChannelType,
    Corrections,
    MediaLimit,
    TextLimits,
    Window,
)
from libs.events.credentials import Credentials, WrongCredential, check_secret


class PigeonCredentials(Credentials, frozen=True):
    """``loft`` is the account; ``secret`` signs deliveries, ``verify_token`` is told at the
    handshake."""

    another_account: ClassVar[tuple[str, str]] = ("loft", "another-account")

    loft: str
    secret: str
    verify_token: str = ""

    def check(self) -> None:
        if not self.loft.isalnum():
            raise WrongCredential("loft", "secret", least=1, most=99)
        check_secret("secret", self.secret)

    @property
    def account(self) -> str:
        return self.loft


PIGEON: Final = ChannelType(
    names={"en": "pigeon post", "ru": "голубиная почта", "uk": "голубина пошта"},
    capabilities=Capabilities(
        text=TextLimits(unit="bytes", text=40, caption=0),
        media=(MediaLimit(kinds=("image",), max_bytes=1_000),),
        fetch_max_bytes=0,
        corrections=Corrections(
            edit_within_seconds=0, delete_within_seconds=0, by_external_id=True
        ),
        buttons=ButtonLimits(at_most=0, data_max_bytes=0),
        windows=(Window(within_seconds=24 * 60 * 60, allows="anything"),),
        receipts=("delivered",),
        quotes=False,
        comments=(),
        begins="anybody",
        on_pages=False,
    ),
    credentials=PigeonCredentials,
)
