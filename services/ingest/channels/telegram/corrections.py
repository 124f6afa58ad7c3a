"""Editing and deleting what a bot has sent.

Source: https://core.telegram.org/bots/api#editmessagetext, #editmessagecaption, #deletemessages,
#deletebusinessmessages
"""

from typing import Any

from libs.events.outbound import OutboundEditRequested
from services.ingest.channels.telegram.api import BotApi
from services.ingest.channels.telegram.buttons import keyboard_of
from services.ingest.channels.telegram.threads import Thread, numbers_of
from services.ingest.ports.platform import NoAnswer, NotReached, PlatformRefused
from services.ingest.ports.sending import Correction, Failed, Later, Sent

# How Telegram says that a message says already what it is to say.
_SAME = "message is not modified"


async def correct(
    api: BotApi, token: str, thread: Thread, request: Correction
) -> Sent | Failed | Later:
    """Errors: RateLimited."""
    try:
        chat_id, ids = numbers_of(request.external_message_ids, thread)
    except (ValueError, StopIteration):
        return Failed("no-external-id", "Telegram's id of the message is not known")
    if isinstance(request, OutboundEditRequested):
        method, fields = _edit(thread, chat_id, ids, request)
    else:
        method, fields = _deletion(thread, chat_id, ids)
    try:
        await api.call(token, method, fields)
    except (NotReached, NoAnswer):
        # Where it was carried out all the same, the second time finds nothing left to do.
        return Later("network")
    except PlatformRefused as error:
        if _SAME in error.description:
            return Sent()
        return Failed(f"telegram-{error.code}", error.description)
    return Sent()


def _edit(
    thread: Thread, chat_id: str, ids: list[int], request: OutboundEditRequested
) -> tuple[str, dict[str, Any]]:
    """The text stands in the first part: by itself, or as the caption of a single file."""
    fields: dict[str, Any] = {
        "chat_id": int(chat_id),
        "message_id": ids[0],
    }
    if thread.business_connection_id is not None:
        fields["business_connection_id"] = thread.business_connection_id
    if keyboard := keyboard_of(request.content):
        fields["reply_markup"] = keyboard
    if len(request.content.attachments) == 1:
        return "editMessageCaption", {**fields, "caption": request.content.text}
    return "editMessageText", {**fields, "text": request.content.text}


def _deletion(thread: Thread, chat_id: str, ids: list[int]) -> tuple[str, dict[str, Any]]:
    """All parts at once; those that are not there any more are passed over."""
    if thread.business_connection_id is not None:
        connection = {"business_connection_id": thread.business_connection_id}
        return "deleteBusinessMessages", {**connection, "message_ids": ids}
    return "deleteMessages", {"chat_id": int(chat_id), "message_ids": ids}
