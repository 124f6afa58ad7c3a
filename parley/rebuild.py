"""``parley rebuild``: a read model made again from the events, while the services run."""

from libs.runtime.mongo import mongo_client
from libs.runtime.settings import SealedStoreSettings, key_bytes, load
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.rebuild.renewal import rebuild_alone


async def rebuild_read_model(name: str) -> str:
    """What was done, in a line. Errors: SettingsError, BeingRebuilt, and what MongoDB's
    driver raises."""
    settings = load(SealedStoreSettings)
    key = key_bytes(settings.deployment_key)
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-rebuild")
    try:
        model = read_models(key)[name]()
        rebuilt = await rebuild_alone(client[settings.mongodb_database], key, name, model)
    finally:
        await client.close()
    told = f"; {rebuilt.left_out} streams cannot be read and stay as they were"
    return (
        f"{rebuilt.rows} rows from {rebuilt.events} events; "
        f"{rebuilt.replaced} rows differed or were missing, {rebuilt.removed} had no events"
        f"{told if rebuilt.left_out else ''}"
    )
