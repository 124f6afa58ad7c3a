"""What Parley writes to members, in their workspace's language."""

from dataclasses import dataclass
from typing import Final, Literal

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
class Text:
    subject: str
    body: str


_CHANNELS: Final[dict[Language, dict[str, str]]] = {
    "en": {"telegram": "Telegram", "widget": "website chat"},
    "ru": {"telegram": "Telegram", "widget": "чат на сайте"},
    "uk": {"telegram": "Telegram", "widget": "чат на сайті"},
}

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


def case_in_group(language: Language, about: CaseInGroup) -> Text:
    """Names are put on one line each: a line break in one would be a header in a subject."""
    values = {
        "member": _line(about.member),
        "group": _line(about.group),
        "source": _line(about.source),
        "channel": _CHANNELS[language].get(about.channel, about.channel),
        "link": about.link,
    }
    text = _CASE_IN_GROUP[language]
    return Text(text.subject.format(**values), text.body.format(**values))


def _line(name: str) -> str:
    return " ".join(name.split())
