"""What the libraries say of themselves."""

import logging

from libs.runtime.logs import NotAgain


def record(message: str, at: float, *values: object, name: str = "aiokafka") -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, "", 0, message, values, None)
    made.created = at
    return made


def test_the_very_same_is_said_once_in_ten_seconds() -> None:
    said = NotAgain()
    assert said.filter(record("Unable to connect to %s", 100, 1))
    assert not said.filter(record("Unable to connect to %s", 109, 1))
    assert said.filter(record("Unable to connect to %s", 110, 1))


def test_of_another_server_or_by_another_library_it_is_something_else() -> None:
    said = NotAgain()
    assert said.filter(record("Unable to connect to %s", 100, 1))
    assert said.filter(record("Unable to connect to %s", 100, 2))
    assert said.filter(record("Unable to connect to %s", 100, 1, name="pymongo"))


def test_what_never_says_the_same_fills_no_memory() -> None:
    said = NotAgain()
    assert all(said.filter(record("request %s", 100, number)) for number in range(5_000))
    assert not said.filter(record("request %s", 100, 4_999))
