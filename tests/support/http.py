"""What tests ask of any running service."""

import aiohttp

from tests.support.eventually import eventually


async def ready(http: aiohttp.ClientSession, url: str) -> None:
    """Return once the service at ``url`` is ready. Errors: TimeoutError, with its last words."""
    told = ""

    async def look() -> bool:
        nonlocal told
        async with http.get(url + "/readyz") as answer:
            told = await answer.text()
            return answer.status == 200

    try:
        await eventually(look)
    except TimeoutError:
        raise TimeoutError(f"{url} is not ready: {told}") from None
