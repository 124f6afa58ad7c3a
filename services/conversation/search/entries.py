"""From what happened in a conversation to the rows that a search looks in."""

import hmac
from datetime import datetime
from functools import lru_cache
from typing import Final

from libs.events import conversation as public
from libs.events.content import Content
from libs.events.correcting import CorrectionFailed, MessageDeleted
from libs.events.customer import Card
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.state import ConversationState
from services.conversation.search.index import Entry
from services.conversation.search.tokens import Tokens, united
from services.conversation.search.words import word_forms

WRITTEN: Final = (
    public.MessageReceived,
    public.MessageSent,
    public.MessageEdited,
    MessageDeleted,
    CorrectionFailed,
    public.NoteAdded,
    public.CustomerKnown,
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

    def of_card(
        self, workspace_id: str, conversation_id: str, version: int, at: datetime, card: Card
    ) -> Entry:
        """Of what the team knows of the customer, beside their name."""
        told = (card.phone, card.email, card.external_id, card.city, card.address, card.note)
        text = "\n".join(one for one in told if one)
        tokens = self.tokens(workspace_id)
        found = united([tokens.of_text(text), tokens.of_names(list(card.tags))])
        return Entry(f"{conversation_id}.card", conversation_id, version, at, found)

    def of_state(self, snapshot: Snapshot[ConversationState]) -> Entry:
        """Of what a conversation is called by: its customer's name, its case's tags and number."""
        state = snapshot.state
        case, workspace_id = state.case, state.thread.workspace_id
        tokens = self.tokens(workspace_id)
        found = tokens.of_names([state.customer_name, state.shown_as.name or "", *case.tags])
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
