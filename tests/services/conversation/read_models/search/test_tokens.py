"""Which words are found by which: forms of three languages, beginnings, numbers."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymorphy3
import pytest

from services.conversation.read_models.search.spelling import normalised
from services.conversation.read_models.search.tokens import Tokens, is_common
from services.conversation.read_models.search.words import (
    WordForms,
    emails_of,
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


PHONES = ["+380501234568", "050 123 45 68", "(050) 123-45-68", "00380 50 123-45-68", "80501234568"]


@pytest.mark.parametrize("text", PHONES)
@pytest.mark.parametrize(
    "query", [*PHONES, "tel:+380501234568", "+38 (050) 123–45–68", "０５０ 123/45/68", "501234568"]
)
def test_a_telephone_number_is_found_by_any_spelling(query: str, text: str) -> None:
    assert finds(query, f"мой номер {text}, звоните")
    assert finds(query, text, named=True)
    assert finds(f"номер {query}", f"мой номер {text}")
    assert not finds(query, "+380501234569")
    assert not finds(query, "+380671234568")


@pytest.mark.parametrize("text", ["+37369123456", "069 12 34 56", "69123456"])
@pytest.mark.parametrize("query", ["+373 69 123 456", "069123456"])
def test_and_in_countries_of_shorter_numbers(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize("text", ["+79123456789", "8 (912) 345-67-89", "912 345 67 89"])
@pytest.mark.parametrize("query", ["+7 912 345-67-89", "89123456789", "9123456789"])
def test_and_where_one_dials_8_before_it(query: str, text: str) -> None:
    assert finds(query, text)
    assert not finds(query, "+380123456789")


@pytest.mark.parametrize(
    "part", ["4568", "0501", "3456", "45-68", "123 45", "12345", "(050) 12", "+3805", "38050123456"]
)
def test_and_by_a_part_of_four_digits_and_more(part: str) -> None:
    for text in ("+38 (050) 123-45-68", "звоните: 380501234568"):
        assert finds(part, text)
    assert not finds(part, "+380679998877")


def test_numbers_on_lines_of_their_own_are_several() -> None:
    text = "0501234568\n0671112233\nViber+380631110022"
    for query in ("+380501234568", "+380671112233", "063 111 00 22"):
        assert finds(query, text)


def test_digits_in_groups_may_be_words_of_a_text_too() -> None:
    assert finds("12 2024", "в 12 месяце 2024 года")
    assert not finds("12 2024", "в 11 месяце 2024 года")
    assert not finds("456", "+380501234568")


@pytest.mark.parametrize("query", ["12345", "#12345", "№12345", "№ 12345", "n 12345"])
@pytest.mark.parametrize("text", ["заказ №12345", "n #12345", "заказ n 12345", "N№ 12345"])
def test_a_number_is_found_however_it_is_marked(query: str, text: str) -> None:
    assert finds(query.removeprefix("n "), text)


def test_a_short_number_behind_a_sign_is_a_case_or_is_written_so() -> None:
    assert finds("#12", "пункт №12")
    assert not finds("#12", "пункт 12")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("договiр", "Підпишіть договори"),  # a Latin i
        ("договір", "Підпишіть дoгoвiр"),  # Latin letters in the text
        ("ДОГOВІР", "договору"),
        ("cooбщение", "ваши сообщения"),
        ("сoffee", "two coffees"),
        ("toyotа", "Toyota Corolla"),
        ("pot", "рот"),  # all its letters are in both scripts
        ("А123ВС", "car A123BC"),
        ("п´ять", "п'ять днів"),
        ("об‘єкт", "об′єкта"),
        ("п`ять", "пʹять"),
        ("обʼєкт", 'об"єкти'),
        ("п＇ять", "п’ять"),
        ("обєкт", "нові об'єкти"),
        ("об'єкт", "нові обєкти"),
        ("обєк", "об’єкту"),
        ("возврат", "воз\u200bврат"),
        ("воз\u00adврат", "возврат"),
        ("возврат", "возвра\u0301т"),
        ("возврат\ufe0f", "в\u2060озвр\ufeffат"),
        ("йогурт", "и\u0306огурта"),
        ("їжак", "і\u0308жака"),
        ("україна", "Украïна"),
        ("muller", "Herr Müller"),
        ("Müller", "Mu\u0308ller"),
        ("café", "the cafe"),
        ("замок", "зáмок"),
        ("ｏｒｄｅｒ", "orders"),
        ("@ivan_petrov", "пишите на @Ivan_Petrov"),
        ("ivan_petrov", "пишите на @Ivan_Petrov"),
    ],
)
def test_a_word_is_found_by_what_it_looks_like(query: str, text: str) -> None:
    assert finds(query, text)
    assert finds(text.split()[-1], text)


@pytest.mark.parametrize(
    ("query", "text"), [("йод", "иод"), ("їхати", "іхати"), ("рот", "ротор"), ("дом", "dom")]
)
def test_letters_of_their_own_stay_so(query: str, text: str) -> None:
    assert not finds(query, text)


@pytest.mark.parametrize(
    "query", ["@ivan_petrov", "ivan_petrov", "@ivan", "ivan_p", "@IVAN_P", "petrov", "iv"]
)
def test_a_name_on_a_platform_is_found_with_its_sign_and_without(query: str) -> None:
    found = TOKENS.of_username("Ivan_Petrov")
    assert all(
        any(one.holds(found.t, found.p) for one in word.alternatives)
        for word in TOKENS.wanted(query)
    )


def test_what_is_asked_for_beside_a_number_is_looked_for_too() -> None:
    assert finds("Иван 050 123 45 68", "Иван, +380501234568")
    assert not finds("Петр 050 123 45 68", "Иван, +380501234568")
    assert finds("a@b.example +380501234568", "a@b.example, 0501234568")


def test_a_query_of_stop_words_alone_says_so() -> None:
    assert is_common("где и")
    assert not is_common("где возврат")
    assert not is_common("?!")


@pytest.mark.parametrize(
    "one", ["+380501234568, ", "a@b.example, ", "@abcdef ", "№123 ", "слово1 "]
)
def test_tokens_are_bounded_whatever_is_repeated(one: str) -> None:
    text = "".join(one.replace("1", f"{n}1") for n in range(10_000))
    for found in (TOKENS.of_text(text), TOKENS.of_names([text])):
        assert len(found.t) < 600
        assert len(found.p) < 2_000


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


def test_usual_letters_are_read_as_all_others_are() -> None:
    letters = "".join(map(chr, (*range(32, 127), *range(0x401, 0x460), 0x490, 0x491))) + "«»–—’№„“”"
    for letter in letters:
        # What cannot be seen makes the text an unusual one.
        assert normalised(f"а{letter}в") == normalised(f"а{letter}\u200bв"), letter
