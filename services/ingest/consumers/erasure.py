"""A person was forgotten: what ingest keeps of them goes too."""

from collections.abc import Sequence

from libs.events.conversation.customer import AttachmentsErased, CustomerErased
from libs.runtime.consumer import Received, Refused
from services.ingest.attachments.store import AttachmentStore
from services.ingest.sending.attempts import Attempts


class Eraser:
    def __init__(self, store: AttachmentStore, attempts: Attempts) -> None:
        self._store = store
        self._attempts = attempts

    async def handle(self, batch: Sequence[Received]) -> Sequence[Refused]:
        """The consumer's handler. Errors: StorageAway, pymongo's; repeating is harmless."""
        for one in batch:
            match one.envelope.body:
                case CustomerErased(case=case):
                    await self._attempts.erase(case.conversation_id)
                case AttachmentsErased(attachment_ids=ids):
                    for attachment_id in ids:
                        await self._store.erase(one.envelope.workspace_id, attachment_id)
        return ()
