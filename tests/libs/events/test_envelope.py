"""CloudEvents in Kafka's binary mode: there and back, and what is not one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.commands import RouteCase
from libs.events.envelope import Envelope, InvalidEnvelope, read_envelope, sequence_in
from libs.events.registry import InvalidBody, UnknownType

BODY = RouteCase(cause="c", conversation_id="cnv_1", case_id="case_1")


def made(**changes: object) -> Envelope:
    fields: dict[str, object] = {
        "id": "evt_1",
        "source": "/parley/routing",
        "subject": "cnv_1",
        "key": "cnv_1",
        "workspace_id": "wsp_1",
        "sequence": 7,
        "time": datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=UTC),
        "body": BODY,
    }
    return Envelope(**(fields | changes))  # type: ignore[arg-type]  # the fields of an envelope


def read(envelope: Envelope, value: bytes | None = None, **changed: bytes | None) -> Envelope:
    headers = dict(envelope.headers()) | {n.replace("__", "-"): v for n, v in changed.items()}
    present = [(name, v) for name, v in headers.items() if v is not None]
    return read_envelope(envelope.key.encode(), present, value or envelope.encode())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(
    id=texts,
    source=texts,
    subject=texts,
    key=texts,
    workspace_id=texts,
    sequence=st.integers(0, 2**63 - 1),
    time=st.datetimes(timezones=st.just(UTC)),
    body=st.builds(RouteCase, cause=texts, conversation_id=texts, case_id=texts),
)
def test_what_is_written_is_read(**fields: object) -> None:
    envelope = made(**fields)

    assert read(envelope) == envelope


def test_the_attributes_are_those_of_the_binding() -> None:
    headers = dict(made().headers())

    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": b"evt_1",
        "ce_type": b"parley.command.route-case.v1",
        "ce_source": b"/parley/routing",
        "ce_subject": b"cnv_1",
        "ce_time": b"2026-11-22T09:30:00.123456+00:00",
        "ce_workspace": b"wsp_1",
        "ce_sequence": b"7",
        "content-type": b"application/json",
    }


def test_the_trace_goes_along_and_other_headers_do_not() -> None:
    traced = made(extra={"traceparent": "00-1-2-01"})

    assert read(traced, parley_dead_reason=b"why").extra == {"traceparent": "00-1-2-01"}


def test_times_are_read_in_utc() -> None:
    kyiv = timezone(timedelta(hours=2))
    noon = datetime(2026, 11, 22, 12, tzinfo=kyiv)

    assert read(made(time=noon)).time == noon
    assert read(made(time=noon)).time.tzinfo is UTC
    assert read(made(), ce_time=b"2026-11-22T12:00:00Z").time.hour == 12


@pytest.mark.parametrize(
    "name",
    [n for n, _ in made().headers() if n != "content-type"],
)
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(InvalidEnvelope, match=name):
        read(made(), **{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-11-22T12:00:00"),
        ("ce_sequence", b"seven"),
        ("ce_sequence", b"-1"),
        ("ce_sequence", b"9223372036854775808"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("ce_subject", b"\xff"),
        ("ce_id", b"\xff"),
    ],
)
def test_a_malformed_attribute_is_refused(name: str, value: bytes) -> None:
    with pytest.raises(InvalidEnvelope):
        read(made(), **{name: value})


@pytest.mark.parametrize(
    ("headers", "sequence"), [([("ce_sequence", b"7")], 7), ([], 0), ([("ce_sequence", None)], 0)]
)
def test_the_sequence_is_told_by_the_headers_alone(
    headers: list[tuple[str, bytes | None]], sequence: int
) -> None:
    assert sequence_in(headers) == sequence


@pytest.mark.parametrize("value", [b"seven", b"-1", b"9223372036854775808", b"\xff", b"1" * 5000])
def test_a_sequence_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidEnvelope):
        sequence_in([("ce_sequence", value)])


def test_a_foreign_header_that_is_no_text_does_not_matter() -> None:
    assert read(made(), x_binary=b"\xff") == made()


def test_a_header_without_a_value_is_missing() -> None:
    headers = [(n, None if n == "ce_id" else v) for n, v in made().headers()]

    with pytest.raises(InvalidEnvelope, match="ce_id"):
        read_envelope(b"cnv_1", headers, made().encode())


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidEnvelope):
        read_envelope(b"\xff", made().headers(), made().encode())


def test_the_type_and_the_body_have_errors_of_their_own() -> None:
    with pytest.raises(UnknownType):
        read(made(), ce_type=b"parley.future.v9")
    with pytest.raises(InvalidBody, match="cause"):
        read(made(), value=b"{}")
