from __future__ import annotations

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Attachment, Fact, Identifier, ObjectReference
from ledger.api.v1.request_pb2 import RequestOpened
from projections.folding import fold, query_of, words_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Où est le COLIS ?", "ou est le colis ?"),
        ("cœur, Ægir, Straße", "coeur, aegir, strasse"),
        ("Łódź, Søren, Đà", "lodz, soren, da"),
        ("\ufb01n \u2460 İstanbul", "fin 1 istanbul"),
        ("e\u0301te\u0301", "ete"),
    ],
)
def test_case_and_accents_are_folded(text: str, expected: str) -> None:
    assert expected == fold(text)


def test_all_that_is_sealed_is_searched_and_nothing_that_is_clear() -> None:
    contact = ContactReceived(
        contact_id="c-77",
        customer=Identifier(type="phone", value="+33 1 42 00 00 00"),
        reason="delivery",
        summary="Où est mon colis",
        attachments=[Attachment(name="Photo.PNG")],
    )
    request = RequestOpened(
        request_id="r-88",
        wish="Rembourser",
        objects=[ObjectReference(type="order", value="A-12")],
        intake_facts=[Fact(key="size", value="XL")],
    )

    assert ["+33142000000", "ou est mon colis", "photo.png"] == sorted(words_of(contact).split("\n"))
    assert ["a-12", "rembourser", "xl"] == sorted(words_of(request).split("\n"))


def test_an_event_without_sealed_fields_holds_no_words() -> None:
    assert "" == words_of(ContactReceived(contact_id="c-77", reason="delivery"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("colis Perdu", 'words : ("colis" AND "perdu")'),
        ("rembours*", 'words : ("rembours"*)'),
        ("l'Été", 'words : ("l ete")'),
        ('"a" OR b NOT -c', 'words : ("a" AND "or" AND "b" AND "not" AND "c")'),
        ("a@b.org", 'words : ("a b org")'),
        ("01 42 00", 'words : (("01" AND "42" AND "00") OR "014200")'),
        ("12 34", 'words : ("12" AND "34")'),
        ("  ", None),
        ("* - ?", None),
    ],
)
def test_what_people_type_is_quoted_word_by_word(words: str, expected: str | None) -> None:
    assert expected == query_of(words)
