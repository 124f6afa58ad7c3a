"""What a person said and who they are leaves the payload, and comes back with the key alone."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.events.registry import all_types, personal_of
from services.conversation.domain.events import encode, names, personal
from services.conversation.privacy.sealed_payload import Broken, Owner, opened, owner_of, seal
from tests.support.conversation.stored import EXAMPLES

GOLDEN = Path(__file__).parents[1] / "golden" / "sealed"
PUBLIC = Path(__file__).parents[3] / "libs" / "events" / "golden"
KEY = AESGCM(bytes(range(32)))
NONCE = bytes(range(12))
OWNER = Owner("cus_1", 2)
SEALED = [name for name in names() if personal(name)]
PUBLIC_SEALED = [spec.name for spec in all_types() if spec.personal]


def place(name: str) -> bytes:
    return f"cnv_1:7:{name}".encode()


def sealed(name: str) -> bytes:
    return seal(encode(EXAMPLES[name]), personal(name), OWNER, KEY, place(name), NONCE)


def test_a_sealed_payload_stays_as_it_was_first_written() -> None:
    for path in GOLDEN.glob("*.json"):
        golden, name = msgspec.json.decode(path.read_bytes()), path.stem
        paths = personal(name) or personal_of(name)
        payload, kept = (msgspec.json.encode(golden[part]) for part in ("payload", "sealed"))

        again = seal(payload, paths, OWNER, KEY, place(name), NONCE)

        assert msgspec.json.decode(again) == golden["sealed"]
        assert msgspec.json.decode(opened(kept, paths, KEY, place(name))) == golden["payload"]


@pytest.mark.parametrize("name", SEALED)
def test_without_the_key_the_personal_fields_are_blank_and_all_else_is_there(name: str) -> None:
    erased = msgspec.json.decode(opened(sealed(name), personal(name), None, place(name)))

    whole = msgspec.json.decode(encode(EXAMPLES[name]))
    blanks = msgspec.to_builtins(personal(name))
    assert erased == whole | blanks


@pytest.mark.parametrize("name", PUBLIC_SEALED)
def test_a_public_message_is_sealed_by_its_paths(name: str) -> None:
    whole = (PUBLIC / f"{name}.json").read_bytes()
    paths = personal_of(name)

    kept = seal(whole, paths, OWNER, KEY, place(name))

    assert msgspec.json.decode(opened(kept, paths, KEY, place(name))) == msgspec.json.decode(whole)
    for path in paths:
        parent, _, field = path.rpartition(".")
        fields = msgspec.json.decode(kept)
        assert field not in (fields[parent] if parent else fields)


def test_the_payload_tells_whose_key_opens_it() -> None:
    name = "conversation.note-added.v1"

    assert owner_of(sealed(name)) == OWNER
    assert owner_of(encode(EXAMPLES[name])) is None
    # what somebody writes cannot pass for a box
    said = encode(EXAMPLES[name]).replace("передзвонити".encode(), b'\\"sealed\\":{\\"of\\":')
    assert owner_of(said) is None


@pytest.mark.parametrize("moved_to", [b"cnv_1:8:", b"cnv_2:7:"])
def test_a_box_does_not_open_at_another_place(moved_to: bytes) -> None:
    name = "conversation.note-added.v1"

    with pytest.raises(Broken, match="cus_1"):
        opened(sealed(name), personal(name), KEY, moved_to + name.encode())


def test_an_altered_box_does_not_open() -> None:
    name = "conversation.note-added.v1"
    fields = msgspec.json.decode(sealed(name))
    box = fields["sealed"]["box"]
    fields["sealed"]["box"] = box[:20] + ("B" if box[20] == "A" else "A") + box[21:]

    with pytest.raises(Broken):
        opened(msgspec.json.encode(fields), personal(name), KEY, place(name))
