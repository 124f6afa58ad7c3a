"""Stored events by their names: written down, read back, and brought up to date."""

import pytest

from libs.aggregates.events import Event, EventTypes, Payload, UnknownEvent, UnreadableEvent

LIGHTS = EventTypes[Event[int]]()


@LIGHTS.stored("light.dimmed.v2", blanks={"by": ""})
class Dimmed(Event[int], frozen=True, kw_only=True):
    percent: int
    by: str = "nobody"

    def apply(self, state: int | None) -> int:
        return self.percent


def test_an_event_is_read_back_as_it_was_written() -> None:
    event = Dimmed(percent=40, by="Ada")

    payload = LIGHTS.encode(event)

    assert payload == b'{"percent":40,"by":"Ada"}'
    assert LIGHTS.decode(LIGHTS.name_of(event), payload) == event


def test_an_older_payload_is_brought_up_to_date() -> None:
    def in_percent(old: Payload) -> Payload:
        return {"percent": round(old["share"] * 100)} | {k: old[k] for k in ("by",) if k in old}

    LIGHTS.upcast("light.dimmed.v1", "light.dimmed.v2", in_percent)

    assert LIGHTS.is_read("light.dimmed.v1")
    written = b'{"share": 0.4, "by": "Ada"}'
    assert LIGHTS.decode("light.dimmed.v1", written) == Dimmed(percent=40, by="Ada")
    # Erased: the field's blank stands there, and not its default.
    assert LIGHTS.decode("light.dimmed.v1", b'{"share": 0.4}') == Dimmed(percent=40, by="")


def test_what_a_newer_version_wrote_is_not_known() -> None:
    with pytest.raises(UnknownEvent, match=r"light\.exploded\.v1"):
        LIGHTS.decode("light.exploded.v1", b"{}")


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"percent": "much"}'])
def test_what_is_damaged_is_told_from_what_is_not_known(payload: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        LIGHTS.decode("light.dimmed.v2", payload)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match=r"light\.dimmed\.v2"):
        LIGHTS.stored("light.dimmed.v2")(Dimmed)
    assert LIGHTS.names() == ["light.dimmed.v2"]
    assert LIGHTS.declared() == {"light.dimmed.v2": Dimmed}


def test_services_do_not_see_each_others_events() -> None:
    others = EventTypes[Event[int]]()

    assert not others.is_read("light.dimmed.v2")
    others.stored("light.dimmed.v2")(Dimmed)
    assert others.name_of(Dimmed) == "light.dimmed.v2"
