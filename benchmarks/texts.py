"""What people write in benchmarks: Russian, Ukrainian and English, of words as common as in life.

The words of everyday support come first, each in several of its forms; after them words of the
dictionaries that the search itself goes by. The more often a word is used, the nearer it stands to
the beginning (Zipf and Mandelbrot): the first is in about one text of ten, most in few.
"""

import itertools
import random
from typing import Final

import pymorphy3

WORDS_A_TEXT: Final = range(3, 10)
_EVERYDAY: Final = {
    "ru": (
        "заказ заказа заказу заказы доставка доставки доставку возврат возврата деньги денег "
        "оплата оплаты оплату оплатила карта карты картой посылка посылки посылку курьер курьера "
        "адрес адресу размер размера товар товара товары магазин магазина скидка скидки номер "
        "телефона почта почты вопрос менеджер менеджера спасибо здравствуйте пришел пришла купила"
    ),
    "uk": (
        "замовлення замовленню замовлень доставка доставки доставку повернення гроші грошей оплата "
        "оплати оплату сплатила картка картки карткою посилка посилки посилку кур'єр адреса адресу "
        "розмір розміру товар товару товари магазин магазину знижка знижки номер телефону пошта "
        "пошти питання менеджер дякую вітаю прийшов прийшла прийшло купила купив чекаю чекала"
    ),
    "en": (
        "order orders ordered delivery delivered refund refunded payment paid paying card parcel "
        "parcels courier address size sizes item items shop discount number phone mail question "
        "manager thanks hello arrived arrives bought buying waiting waited return returned invoice"
    ),
}
_SHARES: Final = {"ru": 45, "uk": 45, "en": 10}
_LETTERS: Final = "абвгдежзиклмнопрстуфхцчшщюя"
_PARTS: Final = ("ab", "al", "an", "ar", "be", "co", "da", "de", "di", "el", "en", "er", "fi", "ga")
_FLATNESS: Final = 10
_FIRST_NAMES: Final = (
    *("Олена", "Ольга", "Ірина", "Наталія", "Тетяна", "Оксана", "Марія", "Юлія", "Андрій"),
    *("Сергій", "Олександр", "Дмитро", "Іван", "Богдан", "Тарас", "Елена", "Екатерина", "Анна"),
    *("Светлана", "Татьяна", "Алексей", "Николай", "Михаил", "Павел", "Olena", "Maria", "Ivan"),
)
_SURNAME_PARTS: Final = (
    *("ка", "ре", "мо", "ти", "ву", "ло", "са", "пи"),
    *("но", "де", "ши", "га", "жу", "бо", "лу", "че"),
)
_SURNAME_ENDS: Final = ("енко", "чук", "ський", "ова", "ев")


class Texts:
    """All of it comes from ``seed``, so two runs have the same."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.words = {
            language: list(dict.fromkeys((*everyday.split(), *_others(language))))
            for language, everyday in _EVERYDAY.items()
        }

    def language(self) -> str:
        return self._chance.choices(list(_SHARES), list(_SHARES.values()))[0]

    def word(self, language: str) -> str:
        words = self.words[language]
        rank = _FLATNESS * ((len(words) / _FLATNESS + 1) ** self._chance.random() - 1)
        return words[int(rank)]

    def text(self) -> str:
        language = self.language()
        return " ".join(self.word(language) for _ in range(self._chance.choice(WORDS_A_TEXT)))


def name(number: int) -> str:
    """Of the customer of this number; a surname is had by some tens in 100,000."""
    surname = number * 7_919 % 3_271
    parts = [_SURNAME_PARTS[(surname >> shift) % 16] for shift in (0, 4, 8)]
    end = _SURNAME_ENDS[surname % len(_SURNAME_ENDS)]
    return f"{_FIRST_NAMES[number % len(_FIRST_NAMES)]} {''.join(parts).capitalize()}{end}"


def phone(number: int) -> str:
    """Nobody's: the numbers beginning so are not given out."""
    return f"+38000{number:07d}"


def email(number: int) -> str:
    return f"customer.{number}@example.com"


def _others(language: str) -> list[str]:
    if language == "en":
        return ["".join(parts) for parts in itertools.product(_PARTS, repeat=3)]
    dictionary = pymorphy3.MorphAnalyzer(lang=language)
    words = [
        parse.word
        for beginning in itertools.product(_LETTERS, repeat=2)
        # The first of a beginning stand next to each other: some of its nearest.
        for parse in itertools.islice(
            dictionary.iter_known_word_parses("".join(beginning)), 0, 100, 9
        )
    ]
    random.Random(language).shuffle(words)
    return words
