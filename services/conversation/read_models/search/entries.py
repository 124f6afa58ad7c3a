"""From what happened in a conversation to the rows that a search looks in."""

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from libs.aggregates.aggregate import Snapshot
from libs.events.content import Content, Sender
from libs.events.conversation.message import (
    CorrectionFailed,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    NoteAdded,
)
from libs.events.customer import Card
from libs.events.marks import FieldValue
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.search.index import FOR_EVER, Entry
from services.conversation.read_models.search.tokens import Found, Tokens, united
from services.conversation.read_models.search.words import word_forms

WRITTEN: Final = (
    MessageReceived,
    MessageSent,
    MessageEdited,
    MessageDeleted,
    CorrectionFailed,
    NoteAdded,
)

# Each keeps the tokens of its latest words.
_WORKSPACES_KEPT: Final = 8


class Entries:
    """Makes the entries of all workspaces. Looking words up may take long: use it in a thread."""

    def __init__(self, deployment_key: bytes) -> None:
        self._key = hmac.digest(deployment_key, b"parley search", "sha256")
        self._forms = word_forms()
        self.tokens = lru_cache(_WORKSPACES_KEPT)(self._tokens)

    def _tokens(self, workspace_id: str) -> Tokens:
        return Tokens(self._key, workspace_id, self._forms)

    def of_content(
        self,
        workspace_id: str,
        message_id: str,
        conversation_id: str,
        version: int,
        at: datetime,
        content: Content | str,
    ) -> Entry:
        """Of a message's content, or of a note's text."""
        tokens = self.tokens(workspace_id)
        if isinstance(content, str):
            found = tokens.of_text(content)
        else:
            found = tokens.of_text(content.text)
            if files := [one.file_name for one in content.attachments if one.file_name]:
                found = united([found, tokens.of_names(files)])
        return Entry(message_id, conversation_id, version, at, found)

    def of_cards(self, workspace_id: str, cards: Iterable[Card]) -> Found:
        """By what a person is found of whom the team wrote these."""
        tokens = self.tokens(workspace_id)
        parts = []
        for card in cards:
            told = (card.country, card.city, card.address, card.note, *_texts(card.fields))
            called = (card.name, card.mark, card.external_id, card.phone, card.email, *card.tags)
            parts.append(tokens.of_text("\n".join(one for one in told if one)))
            parts.append(tokens.of_names([one for one in called if one]))
        return united(parts)

    def of_sender(
        self, workspace_id: str, conversation_id: str, version: int, at: datetime, sender: Sender
    ) -> Entry | None:
        """Of what the platform calls who wrote, beside their name; None where it does not."""
        if not sender.username:
            return None
        tokens = self.tokens(workspace_id)
        return Entry(
            f"{conversation_id}.{tokens.hidden(sender.external_id)}",
            conversation_id,
            version,
            at,
            tokens.of_username(sender.username),
        )

    def of_case(
        self, workspace_id: str, conversation_id: str, case_id: str, number: int, at: datetime
    ) -> Entry | None:
        """Of a case's number, which is nobody's and stays; None of a case that has none."""
        if not number:
            return None
        found = Found({self.tokens(workspace_id).of_number(number)})
        return Entry(case_id, conversation_id, FOR_EVER, at, found)

    def of_state(self, snapshot: Snapshot[ConversationState]) -> Entry:
        """Of what a conversation is called by: its customer's name, its case's tags, fields and
        number."""
        state = snapshot.state
        case, workspace_id = state.case, state.thread.workspace_id
        tokens = self.tokens(workspace_id)
        found = tokens.of_names([state.customer_name, state.shown_as.name or "", *case.tags])
        if case.fields:
            found = united([found, tokens.of_text("\n".join(_texts(case.fields)))])
        if case.short_number:
            found.t.add(tokens.of_number(case.short_number))
        conversation_id = state.thread.conversation_id
        return Entry(
            conversation_id,
            conversation_id,
            snapshot.version,
            case.opened_at,
            found,
        )


def _texts(fields: Mapping[str, FieldValue]) -> list[str]:
    """What custom fields say in words; a choice's id is none."""
    return [str(value) for value in fields.values() if not isinstance(value, bool | tuple)]
