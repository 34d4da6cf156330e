"""The catalogues: same keys, same fields, in every language, and nothing that is never used."""

import re
from importlib import resources

import pytest

from wirecover.report.errors import ReportError
from wirecover.report.messages import LANGUAGES, catalogue, count_key, fields

ENGLISH = catalogue("en")
OTHERS = [lang for lang in LANGUAGES if lang != "en"]


@pytest.mark.parametrize("lang", OTHERS)
def test_same_keys(lang: str) -> None:
    assert sorted(catalogue(lang)) == sorted(ENGLISH)


@pytest.mark.parametrize("lang", OTHERS)
def test_same_fields(lang: str) -> None:
    assert {key: fields(text) for key, text in catalogue(lang).items()} == {
        key: fields(text) for key, text in ENGLISH.items()
    }


@pytest.mark.parametrize("lang", OTHERS)
def test_sentences_are_translated(lang: str) -> None:
    same = {key for key, text in catalogue(lang).items() if text == ENGLISH[key] and len(text.split()) > 2}
    assert same <= {"application.reason", "exhibit.bytes_value", "exhibit.damage_place", "summary.apps_item"}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_texts_are_whole(lang: str) -> None:
    texts = catalogue(lang)
    assert [key for key, text in texts.items() if not text] == (
        ["format.statement_language"] if lang == "en" else []
    )
    assert all(texts[key].count("|") == 1 for key in texts if key.startswith("glossary."))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_mandatory_sentences(lang: str) -> None:
    expected = {
        "en": "An IP address or a device is not a person.",
        "fr": "Une adresse IP ou un appareil n’est pas une personne.",  # noqa: RUF001
        "nl": "Een IP-adres of een toestel is geen persoon.",
        "de": "Eine IP-Adresse oder ein Gerät ist keine Person.",
    }
    assert catalogue(lang)["mandatory.person"] == expected[lang]


def test_the_english_mandatory_sentences_are_those_of_the_courts_checklist() -> None:
    assert (
        ENGLISH["mandatory.ratio"]
        == "The likelihood ratio is not the probability that the proposition is true."
    )
    assert ENGLISH["mandatory.absence"] == "Absence of detection is not evidence of absence."


def test_every_label_the_template_names_exists() -> None:
    template = resources.files("wirecover.report").joinpath("template")
    source = "".join(
        template.joinpath(name).read_text(encoding="utf-8")
        for name in ("report.typ", "parts.typ", "figures.typ")
    )
    named = set(re.findall(r'\bl\("([a-z_.-]+)"\)', source))
    assert len(named) > 40
    assert named <= set(ENGLISH)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ReportError, match="en, fr, nl, de"):
        catalogue("../en")


def test_french_says_one_for_none() -> None:
    assert [count_key("fr", "k", n) for n in (0, 1, 2)] == ["k.one", "k.one", "k.other"]
    assert [count_key("de", "k", n) for n in (0, 1, 2)] == ["k.other", "k.one", "k.other"]
