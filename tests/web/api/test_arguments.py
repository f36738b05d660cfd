"""How requests may be written."""

import pytest

from tests.web.yards import PREFIX, Yard

CREATE = f"{PREFIX}/registered-models/create"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"name": "m"}', "application/json"),
        (b'{"name": "m"}', "text/plain"),
        (b'{"name": "m"}', "application/x-www-form-urlencoded"),
        (b'"{\\"name\\": \\"m\\"}"', "application/json"),
        (b' {"name": "\\u006d", "name": "m"} ', "application/json"),
    ],
)
def test_a_body_is_json_under_any_content_type(yard: Yard, body: bytes, content_type: str) -> None:
    answer = yard.client.post(CREATE, data=body, content_type=content_type)

    assert answer.get_json()["registered_model"]["name"] == "m"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b'"\\"text\\""',
        b"{",
        b'{"name": "m"',
        b"name=m",
        b"\xef\xbb\xbf{}",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\u0000"}',
        b'{"name": NaN}',
        b'{"name": 1' + b"0" * 400 + b"}",
        b'{"name": ' + b"[" * 5000,
        b'{"name": {"name": {}}}',
    ],
)
def test_a_body_that_says_nothing_is_refused(yard: Yard, body: bytes) -> None:
    answer = yard.client.post(CREATE, data=body, content_type="application/json")

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_body_that_was_cut_off_is_refused(yard: Yard) -> None:
    answer = yard.client.post(
        CREATE, data=b'{"name": "m"}', environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": "40"}
    )

    assert answer.status_code == 400
    assert yard.call("GET", "registered-models/list") == {}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "name=",
        "name=%00",
        "name=%ff",
        "name=" + "x" * 3000,
        "name=m&version=",
        "name=m&version=a",
        "name=m&version=1.0",
        "name=m&version=-1",
        "name=m&version=" + "9" * 4000,
        "version=1",
    ],
)
def test_no_query_is_a_server_error(yard: Yard, query: str) -> None:
    for route in ("registered-models/get", "model-versions/get", "model-versions/get-download-uri"):
        answer = yard.client.get(f"{PREFIX}/{route}?{query}")

        assert answer.status_code in (400, 404)
        assert answer.get_json()["error_code"] in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")


def test_a_message_shows_only_the_beginning_of_what_was_found(yard: Yard) -> None:
    answer = yard.send("POST", "registered-models/create", {"name": ["x" * 5000]})

    assert len(answer.get_json()["message"]) < 300
