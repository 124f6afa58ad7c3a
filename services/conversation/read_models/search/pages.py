"""The inbox's pages of what a search finds, as one member may see it."""

from itertools import batched

from libs.events.api.filters import ConversationFilter, Tab
from libs.runtime.cursors import cursor_of, place_of
from libs.runtime.mongo import Document
from services.conversation.read_models.inbox.inbox import (
    EncodedPage,
    Inbox,
    encode_page,
    filters_of,
)
from services.conversation.read_models.search.query import Search, SearchPlace


async def search_page(
    inbox: Inbox,
    search: Search,
    query: str,
    tab: Tab,
    asked: ConversationFilter,
    cursor: str | None,
    limit: int,
) -> bytes:
    """An encoded ``ConversationPage``: where the query's words are, the newest first.

    A page may have fewer than ``limit`` and a next one all the same. Errors: Invalid (the
    cursor, or a query without a word).
    """
    bound = ("search", query, tab, filters_of(asked))
    after = place_of(cursor, SearchPlace, *bound) if cursor else None
    looking = await search.looking(inbox.workspace_id, query, after)
    question = inbox.question(tab, asked)
    if question.excludes_all:
        return encode_page(EncodedPage((), None, looking.is_common))
    condition = question.beside()
    found: list[tuple[Document, SearchPlace]] = []
    while len(found) <= limit and not (looking.is_over or looking.is_tired):
        # No more than fill a page are opened at once: of most, all may be seen.
        for some in batched(await looking.more(), limit + 1):
            places = dict(some)
            by_id = {row["_id"]: row for row in await inbox.among(list(places), condition)}
            found += [(by_id[one], place) for one, place in some if one in by_id]
            if len(found) > limit:
                break
    following = None
    if len(found) > limit:
        following = cursor_of(found[limit - 1][1], *bound)
    elif not looking.is_over and looking.place is not None:
        following = cursor_of(looking.place, *bound)
    items = inbox.items(row for row, _ in found[:limit])
    return encode_page(EncodedPage(items, following, looking.is_common))
