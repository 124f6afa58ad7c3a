"""Headers: whatever a platform or a client says of a file, it can be downloaded."""

import email.message

import pytest

from libs.runtime.headers import (
    ANY_TYPE,
    FILE_NAME_MAX_BYTES,
    ascii_of,
    disposition,
    file_name_of,
    media_type_of,
)


@pytest.mark.parametrize(
    "told",
    [
        *(None, "", "тип/файл", "image/png\r\nx-evil: 1", "image", "/png", "a/b/c"),
        *("a/" + "b" * 20_000, "image /png", "im\x00age/png", "a\ud800/b"),
    ],
)
def test_what_is_no_media_type_is_any(told: str | None) -> None:
    assert media_type_of(told) == ANY_TYPE
    assert media_type_of(told, "video/mp4") == "video/mp4"


def test_a_media_type_is_told_without_its_parameters() -> None:
    assert media_type_of("Image/PNG; charset=\u0431; x=" + "y" * 9_000) == "image/png"
    assert media_type_of("application/vnd.oasis.opendocument.text") != ANY_TYPE


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("чек 1.png", "чек 1.png"),
        ("a\r\nset-cookie: b.png", "aset-cookie: b.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u200b\x00 ", None),
        (None, None),
        ("👩\u200d👧.jpg", "👩\u200d👧.jpg"),
        ("a\ud800b", "ab"),
    ],
)
def test_a_file_name_is_one_line_that_can_be_read(told: str | None, name: str | None) -> None:
    assert file_name_of(told) == name


@pytest.mark.parametrize("letter", ["x", "ї", "👩"])
def test_a_long_name_keeps_its_ending(letter: str) -> None:
    name = file_name_of(letter * 5_000 + ".tar.gz") or ""
    assert name.endswith(letter + ".gz")
    assert len(name.encode()) <= FILE_NAME_MAX_BYTES


@pytest.mark.parametrize("name", ['чек "1"; x=\\.png', "a%41.png", "plain.png", "x\r\ny: z" * 900])
def test_a_name_is_said_twice_and_comes_back(name: str) -> None:
    header = disposition("attachment", name, "att_1")
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 2_000
    told = email.message.Message()
    told["content-disposition"] = header.replace(header.partition(";")[2].split("filename*")[0], "")
    assert told.get_filename() == file_name_of(name)


def test_a_header_that_is_not_ascii_is_not_there() -> None:
    headers = [(b"traceparent", b"\xff"), (b"tracestate", b"a=1"), (b"other", b"x")]
    assert ascii_of(headers, frozenset({b"traceparent", b"tracestate"})) == {"tracestate": "a=1"}
