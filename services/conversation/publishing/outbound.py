"""What is asked of ingest by what the team decided: to send, to edit, to delete there too."""

from collections.abc import Iterator
from typing import Any

from libs.events.outbound import OutboundDeleteRequested, OutboundEditRequested, OutboundRequested
from libs.events.registry import Body
from services.conversation.domain.conversation.corrections import MessageDeleted, MessageEdited
from services.conversation.domain.conversation.messages import MessageSent
from services.conversation.domain.conversation.sending import MessageResent
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import Event


def outbound_requests(
    event: Event[Any], version: int, state: ConversationState
) -> Iterator[tuple[str, str, Body]]:
    """Of one event, decided by a member: each request's id, its subject, and the request."""
    thread = state.thread
    common: dict[str, Any] = {
        "conversation_id": thread.conversation_id,
        "case_id": state.case.case_id,
        "source_id": thread.source_id,
        "channel": thread.channel,
        "thread": thread.thread,
        "requested_at": event.at,
    }
    match event:
        case MessageSent(member_id=str(member_id)):
            request = OutboundRequested(
                message_id=event.message_id,
                content=event.content,
                member_id=member_id,
                reply_to_external=event.reply_to_external,
                reply_to=None if event.reply_to_external else event.reply_to,
                visibility=event.visibility,
                post=thread.post,
                comment_external=state.last_comment,
                **common,
            )
            yield f"{event.message_id}.request", event.message_id, request
        case MessageResent():
            request = OutboundRequested(
                message_id=event.message_id,
                content=event.content,
                member_id=event.member_id,
                reply_to_external=event.reply_to_external,
                reply_to=None if event.reply_to_external else event.reply_to,
                visibility=event.visibility,
                post=thread.post,
                comment_external=state.last_comment,
                attempt=event.attempt,
                taken=event.external_message_ids,
                **common,
            )
            yield f"{event.message_id}.request.{event.attempt}", event.message_id, request
        case MessageEdited(member_id=str(member_id)):
            request_id = f"{event.message_id}.edit.{version}"
            edit = OutboundEditRequested(
                request_id=request_id,
                message_id=event.message_id,
                content=event.content,
                external_message_ids=event.external_message_ids,
                member_id=member_id,
                **common,
            )
            yield request_id, event.message_id, edit
        case MessageDeleted(member_id=str(member_id)):
            request_id = f"{event.message_id}.delete.{version}"
            deletion = OutboundDeleteRequested(
                request_id=request_id,
                message_id=event.message_id,
                external_message_ids=event.external_message_ids,
                member_id=member_id,
                **common,
            )
            yield request_id, event.message_id, deletion
