"""Keys of identities: made once, found by every replica, erased for ever, wrapped again at will."""

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.mongo import Document
from libs.runtime.sealing import CannotOpen
from services.conversation.privacy.keyring import KEYS, WORKSPACE_KEYS, KeyLost, Keyring, Wanted
from services.conversation.privacy.rotation import rewrap
from services.conversation.privacy.sealed_payload import Cipher, Owner
from tests.support.conversation.world import DEPLOYMENT_KEY

pytestmark = pytest.mark.servers

NONCE = bytes(12)


def wanted(identity: str, generation: int = 1, *, begins: bool = True) -> Wanted:
    return Wanted(Owner(identity, generation), "wsp_1", begins)


def keyring_on(database: AsyncDatabase[Document], cache_size: int = 100) -> Keyring:
    return Keyring(database, DEPLOYMENT_KEY, cache_size)


def shown(cipher: Cipher) -> bytes:
    """Equal for equal keys."""
    return cipher.encrypt(NONCE, b"text", None)


async def sealing_key(keyring: Keyring, identity: str) -> tuple[Owner, bytes]:
    owner, cipher = (await keyring.to_seal([wanted(identity)]))[identity]
    return owner, shown(cipher)


async def opening_keys(keyring: Keyring, *owners: Owner) -> dict[Owner, bytes]:
    return {owner: shown(key) for owner, key in (await keyring.to_open(owners)).items()}


async def test_every_replica_has_the_same_key_of_an_identity(
    database: AsyncDatabase[Document],
) -> None:
    one, other = keyring_on(database), keyring_on(database)

    first = await sealing_key(one, "cus_1")

    assert await sealing_key(other, "cus_1") == first
    assert (await opening_keys(keyring_on(database), Owner("cus_1", 1))) == dict([first])
    assert (await sealing_key(one, "cus_2"))[1] != first[1]


async def test_a_known_identity_costs_no_round_trip(database: AsyncDatabase[Document]) -> None:
    keyring = keyring_on(database)
    _, key = await sealing_key(keyring, "cus_1")

    # when the store has nothing to say any more
    await database[KEYS].drop()
    await database[WORKSPACE_KEYS].drop()

    found = await keyring.to_seal([wanted("cus_1", begins=False)])
    assert shown(found["cus_1"][1]) == key
    assert await opening_keys(keyring, Owner("cus_1", 1)) == {Owner("cus_1", 1): key}


async def test_keys_rest_wrapped_by_the_deployments(database: AsyncDatabase[Document]) -> None:
    await sealing_key(keyring_on(database), "cus_1")

    with pytest.raises(CannotOpen):
        await Keyring(database, bytes(32), 100).to_open([Owner("cus_1", 1)])


class TestErasing:
    async def test_what_was_sealed_before_does_not_open_and_a_new_key_is_begun(
        self, database: AsyncDatabase[Document]
    ) -> None:
        keyring = keyring_on(database)
        _, old = await sealing_key(keyring, "cus_1")

        await keyring.begin_generation("cus_1", "wsp_1", after=1)
        # until the end both are there: what is under way can still be read
        assert len(await opening_keys(keyring, Owner("cus_1", 1), Owner("cus_1", 2))) == 2
        await keyring.destroy("cus_1", before=2)

        owner, new = await sealing_key(keyring, "cus_1")
        assert owner == Owner("cus_1", 2)
        assert new != old
        for replica in (keyring, keyring_on(database)):
            assert await opening_keys(replica, Owner("cus_1", 1), owner) == {owner: new}

    async def test_doing_it_again_changes_nothing(self, database: AsyncDatabase[Document]) -> None:
        keyring = keyring_on(database)
        for _ in range(2):
            await keyring.begin_generation("cus_1", "wsp_1", after=1)
            await keyring.destroy("cus_1", before=2)
            document = await database[KEYS].find_one({"_id": "cus_1"})
            assert document
            assert (document["newest"], list(document["keys"])) == (2, ["2"])

    async def test_a_replica_that_does_not_know_of_it_seals_nothing_with_the_old_key(
        self, database: AsyncDatabase[Document]
    ) -> None:
        eraser, replica = keyring_on(database), keyring_on(database)
        await sealing_key(replica, "cus_1")
        await eraser.begin_generation("cus_1", "wsp_1", after=1)
        await eraser.destroy("cus_1", before=2)

        # a stream that says of itself that it was erased, and one that begins
        for want in (wanted("cus_1", 2, begins=False), wanted("cus_1")):
            assert (await replica.to_seal([want]))["cus_1"][0] == Owner("cus_1", 2)

    async def test_of_two_streams_of_a_person_one_may_know_of_it_and_the_other_not_yet(
        self, database: AsyncDatabase[Document]
    ) -> None:
        eraser, replicas = keyring_on(database), [keyring_on(database), keyring_on(database)]
        for replica in replicas:
            await sealing_key(replica, "cus_1")
        await eraser.begin_generation("cus_1", "wsp_1", after=1)

        both = [wanted("cus_1", 1, begins=False), wanted("cus_1", 2, begins=False)]
        for replica, wants in zip(replicas, (both, both[::-1]), strict=True):
            assert (await replica.to_seal(wants))["cus_1"][0] == Owner("cus_1", 2)

    async def test_a_replica_that_does_not_know_of_it_opens_what_came_since(
        self, database: AsyncDatabase[Document]
    ) -> None:
        """Also beside what was before it, of which the replica has the key in memory."""
        eraser, replica = keyring_on(database), keyring_on(database)
        await sealing_key(replica, "cus_1")
        await eraser.begin_generation("cus_1", "wsp_1", after=1)
        await eraser.destroy("cus_1", before=2)
        since, key = await sealing_key(eraser, "cus_1")

        opening = await opening_keys(replica, Owner("cus_1", 1), since)

        assert opening == {since: key}

    async def test_a_key_that_ought_to_be_there_is_not_made_up(
        self, database: AsyncDatabase[Document]
    ) -> None:
        keyring = keyring_on(database)
        await sealing_key(keyring, "cus_1")

        with pytest.raises(KeyLost, match="cus_1"):
            await keyring.to_seal([wanted("cus_1", 2, begins=False)])


class TestRotation:
    async def test_keys_are_wrapped_again_and_stay_the_same(
        self, database: AsyncDatabase[Document]
    ) -> None:
        replica = keyring_on(database)
        before = dict([await sealing_key(replica, f"cus_{n}") for n in range(3)])
        wrapped = await database[KEYS].find().to_list()

        assert await rewrap(database, DEPLOYMENT_KEY) == 3
        assert await rewrap(database, DEPLOYMENT_KEY) == 3

        for keyring in (replica, keyring_on(database)):
            assert await opening_keys(keyring, *before) == before
        again = await database[KEYS].find().to_list()
        assert not {d["keys"]["1"] for d in wrapped} & {d["keys"]["1"] for d in again}
        workspace = await database[WORKSPACE_KEYS].find_one()
        assert workspace
        assert list(workspace["keys"]) == ["2", "3"]

    async def test_a_replica_goes_on_while_keys_are_rotated(
        self, database: AsyncDatabase[Document]
    ) -> None:
        replica = keyring_on(database)
        await sealing_key(replica, "cus_1")
        await rewrap(database, DEPLOYMENT_KEY)

        owner, key = await sealing_key(replica, "cus_2")

        assert await opening_keys(keyring_on(database), owner) == {owner: key}
        assert await rewrap(database, DEPLOYMENT_KEY) == 2


async def test_the_cache_is_bounded_and_holds_no_batch_up(
    database: AsyncDatabase[Document],
) -> None:
    keyring = keyring_on(database, cache_size=2)
    names = [f"cus_{n}" for n in range(5)]

    keys = await keyring.to_seal([wanted(name) for name in names])

    opening = await keyring.to_open([owner for owner, _ in keys.values()])
    assert {owner: shown(key) for owner, key in opening.items()} == {
        owner: shown(key) for owner, key in keys.values()
    }
