"""How the team marks a case: flag, priority, tags, labels, custom fields; and messages by emotion.

Marks are for finding and counting cases, so a case may be marked whatever state it is in, also when
it is done. Which labels and fields there are is the directory's; it was asked before.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, assert_never

from msgspec.structs import replace

from libs.events.marks import SINGLE, Emotion, FieldValue, MarkKind, Priority
from libs.events.words import line_of
from services.conversation.domain.conversation.life import Life, MemberEvent
from services.conversation.domain.conversation.state import Case, ConversationState
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import Counted, Fields

# They are in the state, which is written again with every message.
MARKS_AT_MOST: Final = 30
FIELDS_AT_MOST: Final = 100
FIELDS_MAX_CHARACTERS: Final = 20_000


class TooManyMarks(Refusal):
    """A case has at most ``limit`` marks of the kind ``mark``."""

    kind = "too-many-marks"

    def __init__(self, mark: MarkKind, limit: int) -> None:
        super().__init__({"marks": Counted(f"mark.{mark}", limit)})
        self.mark = mark
        self.limit = limit


class TooManyFields(Refusal):
    """What the case's custom fields say together would be too much."""

    kind = "too-many-fields"


class FieldsMissing(Refusal):
    """The case cannot be closed before the fields ``field_ids`` say something."""

    kind = "fields-missing"

    def __init__(self, field_ids: Sequence[str]) -> None:
        self.field_ids = tuple(field_ids)
        super().__init__({"fields": Fields(self.field_ids)}, field_ids=self.field_ids)


@stored("conversation.flagged.v1")
class Flagged(MemberEvent, frozen=True, kw_only=True):
    """Somebody wants to find the conversation again."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, flagged=True)


@stored("conversation.unflagged.v1")
class Unflagged(MemberEvent, frozen=True, kw_only=True):
    """The flag is not needed any more."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, flagged=False)


@stored("conversation.priority-set.v1")
class PrioritySet(MemberEvent, frozen=True, kw_only=True):
    """How urgent the case is, which lists can be sorted by."""

    priority: Priority

    def change(self, state: ConversationState) -> ConversationState:
        return replace(
            state,
            case=replace(state.case, priority=self.priority),
            moved_back=replace(state.moved_back, priority=self.at),
        )


@stored("conversation.marks-changed.v1")
class MarksChanged(MemberEvent, frozen=True, kw_only=True):
    """Tags (the words themselves) or labels (their ids) came and went; all of one kind."""

    kind: MarkKind
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        present = marks_of(state.case, self.kind)
        return replace(state, case=_with_marks(state.case, self.kind, self.after(present)))

    def after(self, present: Sequence[str]) -> tuple[str, ...]:
        kept = (mark for mark in present if mark not in self.removed)
        return tuple(dict.fromkeys((*kept, *self.added)))


@stored("conversation.fields-set.v1", personal=("values",))
class FieldsSet(MemberEvent, frozen=True, kw_only=True):
    """Custom fields by id, with what they say now: None is nothing."""

    values: dict[str, FieldValue | None]

    def change(self, state: ConversationState) -> ConversationState:
        fields = {
            field_id: value
            for field_id, value in (state.case.fields | self.values).items()
            if value is not None
        }
        return replace(state, case=replace(state.case, fields=fields))


@stored("conversation.message-marked.v1")
class MessageMarked(MemberEvent, frozen=True, kw_only=True):
    """What somebody of the team hears in a message. It stays with the message, not in the state."""

    message_id: str
    emotion: Emotion | None

    def change(self, state: ConversationState) -> ConversationState:
        return state


class Marks(Life):
    """Whoever may mark cases at all may mark each that they see."""

    def flag(self, member_id: str) -> None:
        if self.state is not None and not self.state.flagged:
            self._trigger(Flagged(at=self.at(self.now), case=self.case.number, member_id=member_id))

    def unflag(self, member_id: str) -> None:
        if self.state is not None and self.state.flagged:
            self._trigger(
                Unflagged(at=self.at(self.now), case=self.case.number, member_id=member_id)
            )

    def set_priority(self, member_id: str, priority: Priority) -> None:
        if self.case.priority != priority:
            self._trigger(
                PrioritySet(
                    at=self.at(self.now),
                    case=self.case.number,
                    member_id=member_id,
                    priority=priority,
                )
            )

    def change_marks(
        self, member_id: str, kind: MarkKind, *, add: Sequence[str], remove: Collection[str]
    ) -> None:
        """What is both added and removed is added. Errors: TooManyMarks."""
        present = marks_of(self.case, kind)
        # A tag may have been given before tags had one spelling.
        known = {mark: folded(mark) if kind == "tag" else mark for mark in present}
        added = tuple(dict.fromkeys(mark for mark in add if mark not in known.values()))
        removed = tuple(
            mark for mark, name in known.items() if {mark, name} & {*remove} and name not in add
        )
        if not (added or removed):
            return
        event = MarksChanged(
            at=self.at(self.now),
            case=self.case.number,
            member_id=member_id,
            kind=kind,
            added=added,
            removed=removed,
        )
        if len(event.after(present)) > MARKS_AT_MOST:
            raise TooManyMarks(kind, MARKS_AT_MOST)
        self._trigger(event)

    def set_mark(self, member_id: str, kind: MarkKind, mark: str | None) -> None:
        """Of a kind of which a case has one."""
        if kind not in SINGLE:
            raise ValueError(f"a case has many marks of the kind {kind}")
        add = () if mark is None else (mark,)
        self.change_marks(member_id, kind, add=add, remove=marks_of(self.case, kind))

    def set_fields(self, member_id: str, values: Mapping[str, FieldValue | None]) -> None:
        """Errors: TooManyFields."""
        present = self.case.fields
        changed = {name: value for name, value in values.items() if present.get(name) != value}
        if not changed:
            return
        event = FieldsSet(
            at=self.at(self.now), case=self.case.number, member_id=member_id, values=changed
        )
        after = present | changed
        characters = sum(len(str(value)) for value in after.values() if value is not None)
        if len(after) > FIELDS_AT_MOST or characters > FIELDS_MAX_CHARACTERS:
            raise TooManyFields
        self._trigger(event)

    def require_fields(self, field_ids: Sequence[str]) -> None:
        """Of a case that is closed. Errors: FieldsMissing."""
        missing = [field_id for field_id in field_ids if field_id not in self.case.fields]
        if missing:
            raise FieldsMissing(missing)

    def mark_message(self, member_id: str, message_id: str, emotion: Emotion | None) -> None:
        self._trigger(
            MessageMarked(
                at=self.at(self.now),
                case=self.case.number,
                member_id=member_id,
                message_id=message_id,
                emotion=emotion,
            )
        )


def folded(tag: str) -> str:
    """In lower case, as one line: a tag, of a case or of a customer, has one spelling."""
    return line_of(" ".join(tag.split()).lower())


def marks_of(case: Case, kind: MarkKind) -> tuple[str, ...]:
    """In the order in which they were added; of a status or a type at most one."""
    match kind:
        case "tag":
            return case.tags
        case "topic":
            return case.topics
        case "reason":
            return case.reasons
        case "component":
            return case.components
        case "status":
            return (case.status,) if case.status else ()
        case "type":
            return (case.type,) if case.type else ()
    assert_never(kind)


def _with_marks(case: Case, kind: MarkKind, marks: tuple[str, ...]) -> Case:
    match kind:
        case "tag":
            return replace(case, tags=marks)
        case "topic":
            return replace(case, topics=marks)
        case "reason":
            return replace(case, reasons=marks)
        case "component":
            return replace(case, components=marks)
        case "status":
            return replace(case, status=marks[-1] if marks else None)
        case "type":
            return replace(case, type=marks[-1] if marks else None)
    assert_never(kind)
