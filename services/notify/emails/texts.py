"""What Parley writes to members, in their own language, else their workspace's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from libs.events.channels import channel_name
from libs.runtime.texts import day

Language = Literal["ru", "uk", "en"]


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


_CASE_IN_GROUP: Final[dict[Language, Text]] = {
    "en": Text(
        "New case in {group}",
        """Hello {member},

a customer is waiting for an answer in {group}.
They wrote to {source} ({channel}).

Open the case: {link}

You get this e-mail because new cases in {group} are yours to answer.
""",
    ),
    "ru": Text(
        "Новое обращение в группе {group}",
        """Здравствуйте, {member}!

В группе {group} клиент ждёт ответа.
Он написал в {source} ({channel}).

Открыть обращение: {link}

Вы получили это письмо, потому что отвечаете на новые обращения в группе {group}.
""",
    ),
    "uk": Text(
        "Нове звернення в групі {group}",
        """Вітаємо, {member}!

У групі {group} клієнт чекає на відповідь.
Він написав у {source} ({channel}).

Відкрити звернення: {link}

Ви отримали цей лист, бо відповідаєте на нові звернення в групі {group}.
""",
    ),
}


_ASSIGNED: Final[dict[str, dict[Language, Text]]] = {
    "assigned": {
        "en": Text(
            "A case was assigned to you",
            """Hello {member},

a case is in your hands now. The customer wrote to {source} ({channel}).
{due}
Open the case: {link}
""",
        ),
        "ru": Text(
            "Вам назначено обращение",
            """Здравствуйте, {member}!

Теперь вы отвечаете за обращение. Клиент написал в {source} ({channel}).
{due}
Открыть обращение: {link}
""",
        ),
        "uk": Text(
            "Вам призначено звернення",
            """Вітаємо, {member}!

Тепер ви відповідаєте за звернення. Клієнт написав у {source} ({channel}).
{due}
Відкрити звернення: {link}
""",
        ),
    },
    "transfer-offered": {
        "en": Text(
            "A case is offered to you",
            """Hello {member},

a colleague would hand a case on to you. The customer wrote to {source} ({channel}).
{due}
Open the case to accept or decline: {link}
""",
        ),
        "ru": Text(
            "Вам предлагают обращение",
            """Здравствуйте, {member}!

Коллега хочет передать вам обращение. Клиент написал в {source} ({channel}).
{due}
Открыть обращение, чтобы принять его или отказаться: {link}
""",
        ),
        "uk": Text(
            "Вам пропонують звернення",
            """Вітаємо, {member}!

Колега хоче передати вам звернення. Клієнт написав у {source} ({channel}).
{due}
Відкрити звернення, щоб прийняти його чи відмовитися: {link}
""",
        ),
    },
}
_DUE: Final[dict[Language, str]] = {
    "en": "It is due by {time} on {day}.\n",
    "ru": "Срок: {day}, {time}.\n",
    "uk": "Термін: {day}, {time}.\n",
}


def assigned_case(kind: str, language: Language, about: AssignedCase) -> Text:
    """To who was given a case (``assigned``), or offered one (``transfer-offered``)."""
    due = ""
    if about.due_at is not None:
        local = about.due_at.astimezone(about.zone)
        due = _DUE[language].format(day=day(local, about.zone, language), time=f"{local:%H:%M}")
    values = {
        "member": _line(about.member),
        "source": _line(about.source),
        "channel": channel_name(about.channel, language),
        "link": about.link,
        "due": due,
    }
    text = _ASSIGNED[kind][language]
    return Text(text.subject, text.body.format(**values))


def case_in_group(language: Language, about: CaseInGroup) -> Text:
    """Names are put on one line each: a line break in one would be a header in a subject."""
    values = {
        "member": _line(about.member),
        "group": _line(about.group),
        "source": _line(about.source),
        "channel": channel_name(about.channel, language),
        "link": about.link,
    }
    text = _CASE_IN_GROUP[language]
    return Text(text.subject.format(**values), text.body.format(**values))


def _line(name: str) -> str:
    return " ".join(name.split())
