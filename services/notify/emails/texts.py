"""What Parley writes to members, in their own language, else their workspace's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from libs.events.api.directory import Language
from libs.events.channels import channel_name
from libs.runtime.texts import day
from services.notify.localization import TEXTS


@dataclass(frozen=True, slots=True)
class CaseInGroup:
    """The names a member knows the things by; ``link`` opens the case."""

    member: str
    group: str
    source: str
    channel: str
    link: str


@dataclass(frozen=True, slots=True)
class AssignedCase:
    """``due_at``, if there is such a time, is told in ``zone``."""

    member: str
    source: str
    channel: str
    link: str
    due_at: datetime | None
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str


def assigned_case(kind: str, language: Language, about: AssignedCase) -> Text:
    """To who was given a case (``assigned``), or offered one (``transfer-offered``)."""
    due = ""
    if about.due_at is not None:
        local = about.due_at.astimezone(about.zone)
        said = {"day": day(local, about.zone, language), "time": f"{local:%H:%M}"}
        due = TEXTS.say("email.due", said, language)
    values = {
        "member": _line(about.member),
        "source": _line(about.source),
        "channel": channel_name(about.channel, language),
        "link": about.link,
        "due": due,
    }
    return _text(kind, values, language)


def case_in_group(language: Language, about: CaseInGroup) -> Text:
    """Names are put on one line each: a line break in one would be a header in a subject."""
    values = {
        "member": _line(about.member),
        "group": _line(about.group),
        "source": _line(about.source),
        "channel": channel_name(about.channel, language),
        "link": about.link,
    }
    return _text("case-in-group", values, language)


def _text(kind: str, values: Mapping[str, str], language: Language) -> Text:
    return Text(
        TEXTS.say(f"email.{kind}.subject", values, language),
        TEXTS.say(f"email.{kind}.body", values, language),
    )


def _line(name: str) -> str:
    return " ".join(name.split())
