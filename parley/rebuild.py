"""``parley rebuild``: a read model made again from the events, while the services run."""

from libs.runtime.mongo import mongo_client
from libs.runtime.settings import MongoSettings, key_bytes, load
from services.conversation.rebuild import rebuild_inbox


async def rebuild_read_model() -> str:
    """What was done, in a line. Errors: SettingsError, and what MongoDB's driver raises."""
    settings = load(MongoSettings)
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-rebuild")
    try:
        rebuilt = await rebuild_inbox(
            client[settings.mongodb_database], key_bytes(settings.deployment_key)
        )
    finally:
        await client.close()
    return (
        f"{rebuilt.conversations} conversations and {rebuilt.messages} messages from "
        f"{rebuilt.commits} commits; {rebuilt.replaced} rows differed or were missing, "
        f"{rebuilt.removed} had no events"
    )
