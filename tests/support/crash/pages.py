"""Reading what the API gives in pages."""

from parley.client import ApiClient
from tests.support.e2e.team import Json


async def all_pages(client: ApiClient, path: str, **query: str) -> list[Json]:
    """Every item, in the order of the pages."""
    items: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        page = await client.get(path, limit="100", **query, **more)
        items += page["items"]
        cursor = page.get("next")
    return items
