"""Files as members and customers give them."""

import msgspec

from libs.events.content import Attachment
from tests.support.ingest.service import Client

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


async def upload(
    client: Client, content: bytes, name: str = "a.png", media_type: str = "image/png"
) -> tuple[int, Attachment | None]:
    path = f"/v1/attachments?file_name={name}"
    status, body, _ = await client.call(
        "POST", path, data=content, headers={"content-type": media_type}
    )
    return status, msgspec.json.decode(body, type=Attachment) if status == 201 else None
