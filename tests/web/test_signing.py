"""Links and page tokens."""

import pytest

from modelyard.errors import InvalidValue, NotFound
from modelyard.web import signing
from modelyard.web.signing import FileLink, Signer

LINK = FileLink("v" * 32, "d" * 64, "ann")
OLD, NEW = "an old key of 16 chars", "a new key of 16 chars"


def test_a_link_comes_back_as_it_went() -> None:
    signer = Signer([NEW])

    assert signer.open_link(signer.sign_link(LINK)) == LINK


def test_an_older_key_still_opens_links_and_the_newest_signs() -> None:
    both = Signer([NEW, OLD])

    assert both.open_link(Signer([OLD]).sign_link(LINK)) == LINK
    assert Signer([NEW]).open_link(both.sign_link(LINK)) == LINK


@pytest.mark.parametrize("signature", ["", "x", "a.b.c", "é", "." * 5000])
def test_a_link_of_nobody_is_not_found(signature: str) -> None:
    with pytest.raises(NotFound):
        Signer([NEW]).open_link(signature)


def test_a_link_signed_with_another_key_is_not_found() -> None:
    with pytest.raises(NotFound):
        Signer([NEW]).open_link(Signer([OLD]).sign_link(LINK))


def test_a_link_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer([NEW])
    signature = signer.sign_link(LINK)

    monkeypatch.setattr(signing, "LINK_LIFE_S", -1)

    with pytest.raises(NotFound):
        signer.open_link(signature)


def test_a_page_token_continues_its_own_search_only() -> None:
    signer = Signer([NEW])
    token = signer.sign_page("question", ["m", 3])

    assert signer.open_page(token, "question") == ["m", 3]
    with pytest.raises(InvalidValue, match="another search"):
        signer.open_page(token, "other")


@pytest.mark.parametrize("token", ["", "x", "eyJvZmZzZXQiOiAyfQ==", "é"])
def test_a_page_token_of_nobody_is_refused(token: str) -> None:
    with pytest.raises(InvalidValue, match="page_token"):
        Signer([NEW]).open_page(token, "question")


def test_a_link_is_no_page_token() -> None:
    signer = Signer([NEW])

    with pytest.raises(InvalidValue):
        signer.open_page(signer.sign_link(LINK), "question")
