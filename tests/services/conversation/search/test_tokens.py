"""Which words are found by which: forms of three languages, beginnings, numbers."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymorphy3
import pytest

from services.conversation.search.tokens import Tokens
from services.conversation.search.words import (
    WordForms,
    emails_of,
    normalised,
    phones_of,
    word_forms,
)

TOKENS = Tokens(bytes(32), "wsp_1", word_forms())


def finds(query: str, text: str, *, named: bool = False) -> bool:
    found = TOKENS.of_names([text]) if named else TOKENS.of_text(text)
    return all(
        any(one.holds(found.t, found.p) for one in word.alternatives)
        for word in TOKENS.wanted(query)
    )


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("возврат", "Оформите, пожалуйста, возврата не дождался"),
        ("деньги", "Списали дважды, с деньгами непонятно"),
        ("купить", "Я купила у вас кофемашину"),
        ("людей", "Много человек в очереди"),
        ("замовлення", "Де моє замовленням?"),
        ("повертати", "Я повертаю цю кавоварку"),
        ("діти", "Це для дітей"),
        ("п’ять", "Минуло п'ять днів"),
        ("елка", "Ёлку привезли"),
        ("айфон", "Чехол для айфона"),
        ("orders", "Where is my order?"),
        ("delivery deliveries", "two deliveries were late"),
        ("ВОЗВРАТ", "возврат"),
        ("возвр", "Хочу возврат"),
        ("деньги возвр", "Когда будет возврат денег?"),
        ("кавовар", "зламалася кавоварка"),
        ("возвращение", "Ждем возвращения"),
        ("refun", "a refund please"),
        ("ORD-4471", "my number is ord-4471"),
        ("dima@coffee.example", "пишите на Dima@Coffee.example"),
        ("+38 (050) 123-45-67", "мой номер 380501234567"),
        ("0501234567", "звоните: +38 050 123 45 67"),
        ("1234567", "+380501234567"),
    ],
)
def test_a_text_is_found_by_forms_of_its_words(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("возврат", "Доставка завтра"),
        ("возвр деньги", "Хочу возврат денег"[:12]),
        ("воз", "Хочу возврат"),
        ("возвратный", "Хочу возврат"),
        ("1234567", "+380501234568"),
        ("#12", "12"),
    ],
)
def test_and_by_nothing_else(query: str, text: str) -> None:
    assert not finds(query, text)


@pytest.mark.parametrize("query", ["ив", "Иван", "иванов", "ИВАНОВА пет", "пе", "ваня@кава"])
def test_a_name_is_found_from_its_second_letter_on(query: str) -> None:
    assert finds(query, "Петр Иванов ваня@кава.укр", named=True)


def test_a_case_is_found_by_its_number() -> None:
    number = TOKENS.of_number(42)
    for query in ("42", "#42", "№ #42"):
        assert any(one.token == number for one in TOKENS.wanted(query)[-1].alternatives)


def test_another_workspace_and_another_key_have_other_tokens() -> None:
    found = TOKENS.of_text("возврат").t
    assert not found & Tokens(bytes(32), "wsp_2", word_forms()).of_text("возврат").t
    assert not found & Tokens(b"x" * 32, "wsp_1", word_forms()).of_text("возврат").t


def test_stop_words_are_looked_for_only_alone() -> None:
    assert [word.text for word in TOKENS.wanted("где мой и возврат")][-1] == "возврат"
    assert [word.text for word in TOKENS.wanted("и")] == ["и"]
    assert TOKENS.wanted(" ?! ") == []


def test_a_wall_of_text_is_bounded() -> None:
    text = " ".join(f"слово{number}" for number in range(5_000))
    assert len(TOKENS.of_text(text).t) < 500


@pytest.mark.parametrize("run", ["x", "1", "a.", "a@", "x-", "'", "я"])
def test_no_text_takes_its_length_squared(run: str) -> None:
    """A million characters: that many squared would take hours."""
    assert len(TOKENS.of_text(run * 1_000_000).t) <= 600


def test_contacts_are_told_from_words() -> None:
    assert phones_of(normalised("+38 (050) 123-45-67, 12.11.2026 и заказ 4471")) == [
        "380501234567",
        "12112026",
    ]
    assert emails_of("a.b+c@d.example, x@y") == ["a.b+c@d.example"]


def test_threads_that_look_words_up_side_by_side_find_the_same() -> None:
    words = [f"{beginning}{n}ing" for n in range(400) for beginning in ("order", "reach", "tell")]
    alone, together = WordForms(), WordForms()
    expected = [alone.of(word) for word in words]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = [pool.submit(together.of.__wrapped__, word) for word in words]
            assert [one.result() for one in found] == expected
    finally:
        sys.setswitchinterval(before)


def test_the_dictionaries_are_read_once_however_many_look_for_the_first_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    languages: list[str] = []
    analyzer = pymorphy3.MorphAnalyzer

    def reading(**given: Any) -> Any:
        languages.append(given["lang"])
        return analyzer(**given)

    monkeypatch.setattr(pymorphy3, "MorphAnalyzer", reading)
    forms = WordForms()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(forms.of, ("замовлення", "заказа", "доставку", "товару")))

    assert languages == ["ru", "uk"]
