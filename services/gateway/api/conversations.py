"""Conversations, passed on to their service."""

from typing import Final

import msgspec
from fastapi import Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api import (
    AddNote,
    AllRead,
    CommentsPage,
    ConversationPage,
    ConversationView,
    DescribeAttachments,
    Draft,
    DraftView,
    EditMessage,
    ReadAll,
    SendMessage,
    Sent,
    StoredAttachments,
    TimelinePage,
)
from libs.events.api.audit import AuditPage
from libs.events.api.conversations import ATTACHMENTS_AT_MOST, GivenAttachment, GivenContent
from libs.events.api.filters import (
    ConversationCounts,
    ConversationFilter,
    SavedFilter,
    SavedFilters,
    SaveFilter,
    Sort,
    Tab,
)
from libs.runtime.bodies import BodyReader, invalid_field
from libs.runtime.problems import Conflict, Invalid
from services.gateway.access import Access, Actor
from services.gateway.api.attachments import in_sight
from services.gateway.api.cases import add_case_routes
from services.gateway.api.erasure import add_erasure_route
from services.gateway.api.marks import add_mark_routes
from services.gateway.api.passing import ANSWERED, BODY_BYTES, REFUSED, PassedOn, PassThrough
from services.gateway.api.routes import (
    AS_OF,
    PAGE,
    WHOLE,
    Problems,
    Routes,
    query_parameter,
    query_parameters,
)
from services.gateway.api.shapes import PostMessage
from services.gateway.localization import TEXTS
from services.gateway.upstream import Upstream, passed_on, path_id

_DRAFT: Final = "A draft is its member's alone; it goes when the message is sent."
_LISTED: Final = (
    query_parameter("q", str, "Words to look for: names, texts, tags, numbers; all tabs then."),
    query_parameter("tab", Tab, "Which cases; all where a filter is given, else New."),
    query_parameter("sort", Sort, "In which order: the longest waiting, the most urgent first."),
    *query_parameters(ConversationFilter),
)
_encode = msgspec.json.Encoder().encode


def add_conversation_routes(
    routes: Routes, access: Access, conversation: Upstream, ingest: Upstream
) -> None:
    through = PassThrough(access, conversation)
    posting = BodyReader(PostMessage, BODY_BYTES)
    base = "/v1/conversations"
    one = base + "/{id}"
    commands: Problems = (*ANSWERED, Conflict)

    async def send(request: Request) -> Response:
        actor = (await access.actor(request)).must(Action.ANSWER)
        conversation_id = path_id(request)
        asked, _ = await posting.read(request)
        if asked.close:
            actor.must(Action.CLOSE)
        attachments = await _described(conversation, ingest, actor, asked.attachments)
        message = SendMessage(
            content=GivenContent(text=asked.text, attachments=attachments, buttons=asked.buttons),
            reply_to=asked.reply_to,
            close=asked.close,
            visibility=asked.visibility,
        )
        return _as_posted(
            await conversation.pass_on(
                request, actor, f"{base}/{conversation_id}/messages", _encode(message)
            )
        )

    routes.add(
        "GET", base, through.to(base, Action.READ),
        name="listConversations", summary="The inbox: a page of a tab",
        answer=ConversationPage, query=(*_LISTED, *PAGE), problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", base + "/counts", through.to(base + "/counts", Action.READ),
        name="countConversations", summary="How many conversations each tab has",
        answer=ConversationCounts, problems=ANSWERED,
    )  # fmt: skip
    saved = "/v1/saved-filters"
    routes.add(
        "GET", saved, through.to(saved, Action.READ),
        name="listSavedFilters", summary="My saved filters, by name",
        answer=SavedFilters, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "POST", saved, through.to(saved, Action.READ, takes_body=True),
        name="saveFilter", summary="Keep a list's filters under a name",
        status=201, body=SaveFilter, answer=SavedFilter, problems=commands,
    )  # fmt: skip
    routes.add(
        "PUT", saved + "/{id}", through.to(saved + "/{id}", Action.READ, takes_body=True),
        name="changeSavedFilter", summary="Another name or other filters",
        body=SaveFilter, answer=SavedFilter, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "DELETE", saved + "/{id}", through.to(saved + "/{id}", Action.READ),
        name="deleteSavedFilter", summary="Forget a saved filter",
        status=204, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", one, through.to(one, Action.READ),
        name="getConversation", summary="One conversation with its latest case",
        description="As it stands now, or as it stood at an instant of the past.",
        answer=ConversationView, query=(AS_OF,), problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", one + "/timeline", through.to(one + "/timeline", Action.READ),
        name="getTimeline", summary="Messages, notes and traces of actions, the newest first",
        answer=TimelinePage, query=(*PAGE, AS_OF), problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", one + "/audit", through.to(one + "/audit", Action.AUDIT),
        name="getAudit", summary="Who did what and when, and whether it was changed since",
        description="The newest first. The chain's state comes with the first page.",
        answer=AuditPage, query=(*PAGE, WHOLE), problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", one + "/comments", through.to(one + "/comments", Action.READ),
        name="listComments", summary="What other people say under the same post",
        description="A page holds the comments of so many authors. The case of an author is named "
        "where you may see it. Of a direct conversation there are none.",
        answer=CommentsPage, query=PAGE, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "POST", one + "/messages", send,
        name="sendMessage", summary="Answer the customer, and close the case if asked to",
        status=201, body=PostMessage, answer=Sent, problems=commands,
    )  # fmt: skip
    routes.add(
        "POST", one + "/notes", through.to(one + "/notes", Action.NOTE, takes_body=True),
        name="addNote", summary="Write what only the team sees",
        status=201, body=AddNote, answer=Sent, problems=commands,
    )  # fmt: skip

    routes.add(
        "POST", base + "/read-all", through.to(base + "/read-all", Action.MARK, takes_body=True),
        name="markAllRead", summary="Mark everything read that is unread in a tab",
        description="It cannot be undone, so it has to be confirmed. Each request does so many.",
        body=ReadAll, answer=AllRead, problems=commands,
    )  # fmt: skip
    draft = one + "/draft"
    routes.add(
        "PUT", draft, through.to(draft, Action.NOTE, takes_body=True),
        name="saveDraft", summary="Keep what I have begun to write", description=_DRAFT,
        body=Draft, answer=DraftView, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", draft, through.to(draft, Action.READ),
        name="getDraft", summary="What I have begun to write", description=_DRAFT,
        answer=DraftView, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "DELETE", draft, through.to(draft, Action.READ),
        name="deleteDraft", summary="Forget what I have begun to write",
        status=204, problems=ANSWERED,
    )  # fmt: skip
    message = one + "/messages/{message_id}"
    routes.add(
        "PATCH", message, through.to(message, Action.ANSWER, takes_body=True),
        name="editMessage", summary="Correct what was sent, where its channel lets one",
        body=EditMessage, answer=ConversationView, problems=commands,
    )  # fmt: skip
    routes.add(
        "DELETE", message, through.to(message, Action.ANSWER),
        name="deleteMessage", summary="Take back what was sent, where its channel lets one",
        answer=ConversationView, problems=commands,
    )  # fmt: skip
    resend = message + "/resend"
    routes.add(
        "POST", resend, through.to(resend, Action.ANSWER),
        name="resendMessage", summary="Send again what did not arrive",
        description="A message whose sending failed, or whose end is not known: only a person can "
        "tell whether the customer has it, so it is never sent again by itself. Of several parts "
        "the channel is sent those that it has not taken.",
        status=201, answer=Sent, problems=commands,
    )  # fmt: skip
    add_case_routes(routes, through)
    add_mark_routes(routes, through)
    add_erasure_route(routes, through)


def _as_posted(answer: Response) -> Response:
    """The answer, a refusal by the names of ``PostMessage``: what it takes is the content there."""
    if answer.status_code != Invalid.status:
        return answer
    problem = msgspec.json.decode(bytes(answer.body))
    errors = problem.get("errors", [])
    for error in errors:
        field = error["field"]
        error["field"] = "text" if field == "content" else field.removeprefix("content.")
    problem["detail"] = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
    return passed_on(answer.status_code, _encode(problem), answer.headers)


async def _described(
    conversation: Upstream, ingest: Upstream, actor: Actor, ids: tuple[str, ...]
) -> tuple[GivenAttachment, ...]:
    """The attachments as they are stored: those given by who sends them, or in a message that they
    see. Errors: Invalid, Unavailable, what ingest refuses."""
    if not ids:
        return ()
    if len(ids) > ATTACHMENTS_AT_MOST:
        raise invalid_field(
            "attachments", TEXTS.say("invalid.too-many", {"count": ATTACHMENTS_AT_MOST})
        )
    sight = await in_sight(conversation, actor, ids)
    asked = DescribeAttachments(
        ids=tuple(one for one in ids if one not in sight.hidden),
        own=tuple(one for one in ids if one not in sight.visible),
    )
    status, body, headers = await ingest.call(
        "POST", "/v1/attachments/describe", actor=actor, body=_encode(asked)
    )
    if status >= REFUSED:
        raise PassedOn(passed_on(status, body, headers))
    stored = msgspec.json.decode(body, type=StoredAttachments).items
    by_id = {attachment.attachment_id: attachment for attachment in stored}
    if missing := set(ids) - set(by_id):
        told = TEXTS.say("invalid.no-attachment", {"attachment": min(missing)[:80]})
        raise invalid_field("attachments", told)
    return tuple(GivenAttachment(**msgspec.structs.asdict(by_id[one])) for one in ids)
