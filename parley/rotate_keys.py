"""``parley rotate-keys``: new keys of the workspaces, while the services run."""

from libs.runtime.mongo import mongo_client
from libs.runtime.settings import SealedStoreSettings, key_bytes, load
from services.conversation.privacy.rotation import rewrap


async def rotate_keys() -> str:
    """What was done, in a line. Errors: SettingsError, and what MongoDB's driver raises."""
    settings = load(SealedStoreSettings)
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-rotate-keys")
    async with client:
        database = client[settings.mongodb_database]
        wrapped = await rewrap(database, key_bytes(settings.deployment_key))
    return f"the keys of {wrapped} identities are wrapped by new keys of their workspaces"
