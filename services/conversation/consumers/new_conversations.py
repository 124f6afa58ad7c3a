"""``parley.conversation``, read by its own writer: a thread that begins is told what is known of
its customer already.

Most customers are new with their first thread. Of the others (a comment under another post, a chat
with the business beside the one with its bot) the card is a stream of its own, and receiving a
message does not look there: what lists show of them is told a moment later.
"""

import asyncio
from collections.abc import Sequence
from itertools import batched
from typing import Final

from libs.events.conversation.case import CaseFacts, CaseOpened
from libs.events.conversation.message import MessageWithheld
from libs.events.envelope import Envelope
from libs.runtime.consumer import Received, Refused
from libs.runtime.rows import Rows
from libs.runtime.streams import Record, of_types
from services.conversation.consumers.customer_profiles import CustomerProfileProcess

_AT_ONCE: Final = 20
_FIRST: Final = b"1"
_opens: Final = of_types(CaseOpened, MessageWithheld)


def is_first(record: Record) -> bool:
    """The first event of a conversation, where it is one by which they begin: by its headers alone,
    and what has no such headers too."""
    sequence = next((value for name, value in record.headers if name == "ce_sequence"), _FIRST)
    return sequence == _FIRST and _opens(record)


class NewConversationHandler:
    def __init__(self, profiles: CustomerProfileProcess, customers: Rows) -> None:
        self._profiles = profiles
        self._customers = customers

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        begun: dict[str, tuple[Envelope, str]] = {}
        for one in batch:
            body = one.envelope.body
            if one.envelope.sequence != 1:
                continue
            match body:
                case (
                    CaseOpened(case=CaseFacts(customer_id=customer_id))
                    | MessageWithheld(customer_id=customer_id)
                ):
                    begun[one.envelope.subject] = one.envelope, customer_id
        known = await self._known({customer_id for _, customer_id in begun.values()})
        news = [
            (envelope, customer_id, conversation_id)
            for conversation_id, (envelope, customer_id) in begun.items()
            if customer_id in known
        ]
        for some in batched(news, _AT_ONCE):
            updates = (self._profiles.update_new(*one) for one in some)
            # Waited for to the end, also where one fails: the batch may be given again at once.
            for outcome in await asyncio.gather(*updates, return_exceptions=True):
                if outcome is not None:
                    raise outcome
        return []

    async def _known(self, customer_ids: set[str]) -> set[str]:
        """Those of whom anything was written down, be it that they are somebody else."""
        if not customer_ids:
            return set()
        of_them = {"_id": {"$in": sorted(customer_ids)}, "known": {"$exists": True}}
        rows = await self._customers.find(of_them, {"_id": 1}).to_list()
        return {row["_id"] for row in rows}
