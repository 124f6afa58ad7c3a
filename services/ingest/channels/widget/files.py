"""Files that the team sent, for the visitor to whom they were sent.

A message names each of its files with a handle: proof that the file is in this conversation. With
their token and the handle a visitor asks for a link, which opens the file for a few minutes and
needs nothing else: a browser downloads it by itself.
"""

import base64
import hmac
import time
from typing import Annotated, Final

import jwt
import msgspec
from starlette.responses import StreamingResponse

from libs.events.content import Attachment, Content
from libs.runtime.problems import NotFound, Unauthorized
from services.ingest.api.attachments import file_response
from services.ingest.attachments.store import AttachmentStore
from services.ingest.channels.widget.visitors import ALGORITHM, LEEWAY_SECONDS
from services.ingest.localization import TEXTS

LINK_SECONDS: Final = 300
_AUDIENCE: Final = "parley-widget-file"


class FileRequest(msgspec.Struct, frozen=True):
    """Both as the message has them."""

    attachment_id: Annotated[str, msgspec.Meta(max_length=100)]
    reference: Annotated[str, msgspec.Meta(max_length=100)]


class FileHandles:
    """Makes and checks handles and links. The keys are derived from the deployment's."""

    def __init__(self, deployment_key: bytes) -> None:
        self._key = hmac.digest(deployment_key, b"parley widget file handles", "sha256")
        self._link_key = hmac.digest(deployment_key, b"parley widget file links", "sha256")

    def shown(self, content: Content, conversation_id: str) -> Content:
        """As the visitor gets it: with handles in place of ingest's own references."""
        return msgspec.structs.replace(
            content,
            attachments=tuple(
                msgspec.structs.replace(
                    one, reference=self._handle(conversation_id, one.attachment_id)
                )
                for one in content.attachments
            ),
        )

    def link(self, source_id: str, conversation_id: str, asked: FileRequest) -> str:
        """A token for ``opened``. Errors: NotFound where the handle is of no file there."""
        handle = self._handle(conversation_id, asked.attachment_id)
        if not hmac.compare_digest(handle.encode(), asked.reference.encode()):
            raise NotFound(TEXTS.say("not-found.attachment"))
        claims = {
            "aud": _AUDIENCE,
            "exp": int(time.time()) + LINK_SECONDS,
            "source": source_id,
            "attachment": asked.attachment_id,
        }
        return jwt.encode(claims, self._link_key, ALGORITHM)

    def opened(self, token: str, source_id: str) -> str:
        """The file's id. Errors: Unauthorized (too old, or not ours), NotFound."""
        try:
            claims = jwt.decode(
                token,
                self._link_key,
                [ALGORITHM],
                audience=_AUDIENCE,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "aud", "source", "attachment"]},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized(TEXTS.say("link.gone")) from error
        if claims["source"] != source_id:
            raise NotFound(TEXTS.say("not-found.attachment"))
        attachment_id: str = claims["attachment"]
        return attachment_id

    def _handle(self, conversation_id: str, attachment_id: str) -> str:
        proof = hmac.digest(self._key, f"{conversation_id}/{attachment_id}".encode(), "sha256")
        return base64.urlsafe_b64encode(proof).rstrip(b"=").decode()


async def available(store: AttachmentStore, workspace_id: str, attachment_id: str) -> Attachment:
    """Errors: NotFound, StorageAway."""
    note = await store.describe(workspace_id, attachment_id)
    if note is None or note.missing is not None:
        raise NotFound(TEXTS.say("not-found.attachment"))
    return note.attachment


async def download(
    store: AttachmentStore, workspace_id: str, attachment_id: str
) -> StreamingResponse:
    """Saved and never shown: it must not take the place of the page that links to it.

    Errors: NotFound, StorageAway.
    """
    attachment = await available(store, workspace_id, attachment_id)
    response = await file_response(store, workspace_id, attachment)
    _, _, name = response.headers["content-disposition"].partition(";")
    response.headers["content-disposition"] = f"attachment;{name}"
    response.headers["cache-control"] = "private, no-store"
    return response
