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
    words: str,
    tab: Tab,
    asked: ConversationFilter,
    cursor: str | None,
    limit: int,
) -> bytes:
    """An encoded ``ConversationPage``: where the words are, the newest first.

    A page may have fewer than ``limit`` and a next one all the same. Errors: Invalid (the
    cursor, or no word among them).
    """
    bound = ("search", words, tab, filters_of(asked))
    after = place_of(cursor, SearchPlace, *bound) if cursor else None
    run = await search.begin(inbox.workspace_id, words, after)
    query = inbox.query(tab, asked)
    if query.excludes_all:
        return encode_page(EncodedPage((), None, run.is_common))
    condition = query.beside()
    found: list[tuple[Document, SearchPlace]] = []
    while len(found) <= limit and not (run.is_over or run.is_tired):
        # No more than fill a page are opened at once: of most, all may be seen.
        for some in batched(await run.more(), limit + 1):
            places = dict(some)
            by_id = {row["_id"]: row for row in await inbox.among(list(places), condition)}
            found += [(by_id[one], place) for one, place in some if one in by_id]
            if len(found) > limit:
                break
    following = None
    if len(found) > limit:
        following = cursor_of(found[limit - 1][1], *bound)
    elif not run.is_over and run.place is not None:
        following = cursor_of(run.place, *bound)
    items = inbox.items(row for row, _ in found[:limit])
    return encode_page(EncodedPage(items, following, run.is_common))
