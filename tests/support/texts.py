"""What holds of every catalogue of texts."""

import string
from collections.abc import Mapping

from babel.messages.pofile import read_po

from libs.events.api.directory import Language
from libs.runtime.language import LANGUAGES
from libs.runtime.texts import LOCALES, PLURALS, Texts

HOW = "add msgid {key!r} to {folder}/{language}.po (how it looks: libs/runtime/texts.py)"


def variables_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def check_texts(texts: Texts) -> None:
    """Every key in every language, with the same variables, and whole where it has plurals."""
    everything: Mapping[Language, Mapping[str, tuple[str, ...]]]
    everything = {language: texts.of(language) for language in LANGUAGES}
    for key in sorted({key for known in everything.values() for key in known}):
        shapes = {}
        for language, known in everything.items():
            forms = known.get(key)
            assert forms, HOW.format(key=key, folder=texts.folder.name, language=language)
            assert all(form.strip() for form in forms), f"{language}: {key} has an empty text"
            counted = "count" in set().union(*map(variables_of, forms))
            wanted = len(PLURALS[language]) if counted else 1
            assert len(forms) == wanted, (
                f"{language}: {key} needs {wanted} form(s): {', '.join(PLURALS[language])}"
                if counted
                else f"{language}: {key} has plural forms, but no {{count}} in it"
            )
            # A singular may do without its number ("a tag", not "1 tag").
            shapes[language] = set().union(*map(variables_of, forms))
        assert len(set(map(frozenset, shapes.values()))) == 1, f"{key}: variables differ: {shapes}"


def check_files(texts: Texts) -> None:
    """Every file says its language, in the order of CLDR's plural forms, and each key once."""
    for language in LANGUAGES:
        raw = (texts.folder / f"{language}.po").read_text()
        catalogue = read_po(raw.splitlines(keepends=True), abort_invalid=True)
        assert str(catalogue.locale) == language
        assert catalogue.num_plurals == len(PLURALS[language])
        keys = [line for line in raw.splitlines() if line.startswith("msgid ")]
        assert len(keys) == len(set(keys)), f"{language}.po has a key twice"
        assert "#, fuzzy" not in raw


def categories_of(language: Language) -> set[str]:
    """The plural categories that whole numbers have."""
    return {LOCALES[language].plural_form(number) for number in range(1_000)}
