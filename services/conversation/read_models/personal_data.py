"""What the read models hold of a person: found, and forgotten, when the person is erased."""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.rows import find_rows
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.customer.state import CustomerState
from services.conversation.read_models.customers.rows import CUSTOMERS, customer_of
from services.conversation.read_models.customers.sets import sets_of
from services.conversation.read_models.drafts import DRAFTS, Drafts
from services.conversation.read_models.inbox.rows import INBOX, snapshot_of
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.rebuild.rebuild import beside_of
from services.conversation.read_models.search.cards import CardRows
from services.conversation.read_models.search.index import SEARCH, SearchIndex

type ForgetWords = Callable[[str, Collection[str]], Awaitable[int]]

_PAGE: Final = 200
# What a rebuild under way holds of a conversation beside the live rows, or a stopped one left
# there, and by which field it is found. Of what is taken away the live rows stay as they are.
_OF_CONVERSATION: Final = ((INBOX, "_id"), (MESSAGES, "conversation"), (SEARCH, "c"))


class ReadModelsPersonalData:
    """``forget_words``: of members' saved filters."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        search: SearchIndex,
        cards: CardRows,
        forget_words: ForgetWords,
    ) -> None:
        self._database = database
        self._customers = database[CUSTOMERS]
        self._inbox = database[INBOX]
        self._drafts = Drafts(database[DRAFTS])
        self._search = search
        self._cards_found = cards
        self._forget_words = forget_words

    async def identities(self, workspace_id: str, customer_id: str) -> list[str]:
        sets = await sets_of(self._customers, workspace_id, [customer_id])
        if (person := sets.get(customer_id)) is None:
            return [customer_id]
        return [person.primary_id, *(person.rows.keys() - {person.primary_id})]

    async def cards(self, identities: Collection[str]) -> list[CustomerState]:
        rows = await find_rows(self._customers, identities)
        found = []
        for row in rows:
            with left_out("customer row", row["_id"]):
                if known := customer_of(row):
                    found.append(known.state)
        return found

    async def card_of(self, workspace_id: str, identity: str) -> tuple[str, int]:
        sets = await sets_of(self._customers, workspace_id, [identity])
        if (person := sets.get(identity)) is None:
            return identity, 0
        return person.primary_id, person.known.forgotten

    async def conversations(self, identities: Collection[str]) -> list[ConversationState]:
        if not identities:
            return []
        found = self._inbox.find({"customer": {"$in": list(identities)}}, batch_size=_PAGE)
        states = []
        async for row in found:
            with left_out("inbox row", row["_id"]):
                states.append(snapshot_of(row).state)
        return states

    async def forget_words(self, workspace_id: str, names: Collection[str]) -> int:
        return await self._forget_words(workspace_id, names)

    async def forget_card(self, workspace_id: str, identity: str) -> None:
        await self._cards_found.drop(workspace_id, identity)
        await self._database[beside_of(CUSTOMERS)].delete_one({"_id": identity})

    async def forget_conversation(self, conversation_id: str, upto: int) -> None:
        await self._drafts.forget([conversation_id])
        for collection, named in _OF_CONVERSATION:
            await self._database[beside_of(collection)].delete_many({named: conversation_id})
        # What it is called by since then, its number, is nothing of the person's.
        await self._search.forget({conversation_id: upto - 1})
