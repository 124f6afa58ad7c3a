"""How this service speaks to members: its texts, and the names and times that stand in them.

The texts are in ``<language>.po`` beside it (see ``libs.runtime.texts``).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from libs.events.activity import ActivityVariables
from libs.events.channels import channel_name
from libs.events.directory import FieldState, LabelState
from libs.events.zones import zone_of
from libs.runtime.bodies import invalid_field
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.language import spoken
from libs.runtime.problems import Invalid
from libs.runtime.texts import COMMON, Texts, day, listed
from services.conversation.domain.variables import (
    ChannelName,
    Counted,
    Fields,
    Group,
    Labels,
    Member,
    Names,
    Reason,
    Variable,
    Words,
)

TEXTS: Final = Texts(Path(__file__).parent, COMMON)


def reason_told(code: str | None, words: str | None) -> str | None:
    """As a ``Reason`` is told."""
    return TEXTS.find(f"reason.{code}") or words


def wrong(field: str, key: str, **variables: str | int) -> Invalid:
    """The 422 for one field, in the words of ``invalid.<key>``."""
    return invalid_field(field, TEXTS.say(f"invalid.{key}", variables))


class Localizer:
    """Speaks to one caller, in their language, with the names of their workspace.

    Times are told in the time zone of the case's location.
    """

    def __init__(
        self, directory: WorkspaceDirectory, location_id: str, now: datetime | None = None
    ) -> None:
        self._directory = directory
        self._zone = _zone_of(directory, location_id)
        self._now = now or datetime.now(UTC)

    def say(self, key: str, variables: Mapping[str, Variable]) -> str:
        """Errors: KeyError (there is no such text, or it wants another variable)."""
        return TEXTS.say(key, {name: self._told(value) for name, value in variables.items()})

    def plain(self, variables: Mapping[str, Variable]) -> ActivityVariables:
        """The variables as a program wants them: times as instants, counts as numbers."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else self._told(value)
            for name, value in variables.items()
        }

    def _told(self, value: Variable) -> str | int:
        match value:
            case Member(member_id=member_id):
                return self._member(member_id)
            case Group(group_id=group_id):
                group = self._directory.groups.get(group_id)
                return group.name if group else TEXTS.say("name.unknown-group")
            case Words(key=key):
                return TEXTS.say(key)
            case Counted(key=key, count=count):
                return TEXTS.say(key, {"count": count})
            case Names(names=names):
                return listed(list(names))
            case Labels(label_ids=ids):
                return listed([_name(self._directory.labels, one) for one in ids])
            case Fields(field_ids=ids):
                return listed([_name(self._directory.fields, one) for one in ids])
            case ChannelName(channel=channel):
                return channel_name(channel, spoken())
            case Reason(code=code, words=words):
                return reason_told(code, words) or ""
            case datetime():
                return self._moment(value)
        return value

    def _member(self, member_id: str) -> str:
        member = self._directory.members.get(member_id)
        return member.name if member else TEXTS.say("name.unknown-member")

    def _moment(self, at: datetime) -> str:
        local = at.astimezone(self._zone)
        time = f"{local:%H:%M}"
        if local.date() == self._now.astimezone(self._zone).date():
            return TEXTS.say("moment.today", {"time": time})
        return TEXTS.say("moment.other-day", {"date": day(at, self._zone), "time": time})


def _name(entries: Mapping[str, LabelState] | Mapping[str, FieldState], entry_id: str) -> str:
    entry = entries.get(entry_id)
    return entry.name if entry else entry_id


def _zone_of(directory: WorkspaceDirectory, location_id: str) -> ZoneInfo:
    location = directory.locations.get(location_id)
    return zone_of(location.time_zone if location else None)
