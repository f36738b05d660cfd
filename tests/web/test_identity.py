"""Who is calling: tokens at the door of a web process."""

from base64 import b64encode
from collections.abc import Callable

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from modelyard.rules.tokens import Scope, TokenLimits, public_id_of
from modelyard.web.identity import BELIEVED_S, REMEMBERED_S
from modelyard.web.throttle import MOST_GUESSES
from tests.web.yards import PREFIX, Yard

SEARCH = f"{PREFIX}/registered-models/search"


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors."""
    return open_yard(auth="token", admin_token="first-administrator")


def ask(yard: Yard, authorization: str, **headers: str) -> TestResponse:
    return yard.client.get(SEARCH, headers={"Authorization": authorization, **headers})


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "Bearer   {}  "])
def test_a_personal_token_opens_the_door(yard: Yard, form: str) -> None:
    token = yard.person("bob")

    assert ask(yard, form.format(token)).status_code == 200


@pytest.mark.parametrize("user", ["bob", "Bob", "token", ""])
def test_as_a_password_it_opens_the_door_whatever_the_user_name(yard: Yard, user: str) -> None:
    token = yard.person("bob")

    assert ask(yard, basic(user, token)).status_code == 200


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("{}", "missing"),
        ("Token {}", "not known"),
        ("Digest username={}", "not known"),
        ("Bearer", "missing"),
        ("Bearer {} {}", "more than one token"),
        ("Bearer {}, Bearer {}", "more than one token"),
        ("Bearer {}x", "not known"),
        ("Basic {}", "cannot be read"),
        ("Basic OnRva2Vu", "not known"),
        ("Basic Ym9iOg==", "missing"),
    ],
)
def test_malformed_credentials_are_refused_with_a_reason(yard: Yard, form: str, message: str) -> None:
    token = yard.person("bob")

    answer = ask(yard, form.format(token, token))

    assert (answer.status_code, answer.get_json()["error_code"]) == (401, "CUSTOMER_UNAUTHORIZED")
    assert message in answer.get_json()["message"]
    assert token not in answer.get_data(as_text=True)


def test_a_revoked_token_is_refused_at_once_by_the_process_that_revoked_it(yard: Yard) -> None:
    token = yard.person("bob")
    assert ask(yard, f"Bearer {token}").status_code == 200

    yard.send("POST", "/api/2.0/token/delete", {"token_id": public_id_of(token)}, headers=yard.bearer(token))

    answer = ask(yard, f"Bearer {token}")
    assert answer.status_code == 401
    assert "revoked" in answer.get_json()["message"]


def test_a_token_revoked_elsewhere_opens_the_door_for_seconds_only(yard: Yard) -> None:
    identity = yard.site.identity
    now_s = [0.0]
    identity.clock = lambda: now_s[0]
    token = yard.person("bob")
    assert ask(yard, f"Bearer {token}").status_code == 200
    yard.revoke(token)

    now_s[0] = BELIEVED_S - 0.1
    assert ask(yard, f"Bearer {token}").status_code == 200
    now_s[0] = BELIEVED_S + 0.1
    assert ask(yard, f"Bearer {token}").status_code == 401


def test_a_token_is_looked_up_once_in_a_while(yard: Yard) -> None:
    token = yard.person("bob")
    statements: list[str] = []
    event.listen(yard.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    for _ in range(5):
        ask(yard, f"Bearer {token}")

    assert len([statement for statement in statements if "tokens.digest" in statement]) == 1


def guess(yard: Yard, number: int, form: str = "Bearer {}", **headers: str) -> TestResponse:
    return ask(yard, form.format(f"mdy_{number:016x}_{'g' * 43}"), **headers)


def test_whoever_guesses_tokens_is_made_to_wait(yard: Yard) -> None:
    codes = [guess(yard, number).status_code for number in range(MOST_GUESSES + 2)]

    assert codes == [401] * MOST_GUESSES + [429] * 2
    answer = guess(yard, 1)
    assert answer.get_json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert 1 <= int(answer.headers["Retry-After"]) <= 61


def test_meanwhile_a_token_that_was_right_before_stays_right(yard: Yard) -> None:
    now_s = [0.0]
    yard.site.identity.clock = lambda: now_s[0]
    known, new = yard.person("bob"), yard.person("eve")
    assert ask(yard, f"Bearer {known}").status_code == 200
    for number in range(MOST_GUESSES):
        guess(yard, number)

    now_s[0] = REMEMBERED_S - 1
    assert ask(yard, f"Bearer {known}").status_code == 200
    assert ask(yard, f"Bearer {new}").status_code == 429
    assert ask(yard, "Bearer first-administrator").status_code == 429


def test_guesses_at_one_account_count_together_from_wherever_they_come(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(auth="token", trusted_proxies="127.0.0.1")
    token = yard.person("bob")

    def guess_from(number: int, account: str) -> int:
        credentials = b64encode(f"{account}:guess-{number}".encode()).decode()
        return ask(yard, f"Basic {credentials}", **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code

    codes = [guess_from(number, "bob") for number in range(MOST_GUESSES + 1)]

    assert codes == [401] * MOST_GUESSES + [429]
    assert guess_from(200, "eve") == 401
    assert ask(yard, f"Bearer {token}").status_code == 200


def test_what_a_proxy_says_of_the_caller_counts_only_when_it_is_trusted(yard: Yard) -> None:
    codes = [
        guess(yard, number, **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(MOST_GUESSES + 1)
    ]

    assert codes[-1] == 429


def test_a_signed_link_ends_with_the_rights_of_whoever_asked_for_it(yard: Yard) -> None:
    token = yard.person("bob", "admins")
    yard.token = token
    number = yard.ready()
    signed = yard.call("GET", "model-versions/get-signed-download-uri", name="m", version=number, path="MLmodel")
    path = signed["signed_uri"].removeprefix(yard.site.public_url)
    assert yard.client.get(path).status_code == 200

    yard.person("ann", "admins")
    yard.disable("bob")

    assert yard.client.get(path).status_code == 404


def test_a_token_for_reading_changes_nothing(yard: Yard) -> None:
    yard.token = yard.person("bob", "admins")
    yard.ready()
    yard.token = yard.person("eve", "admins", limits=TokenLimits(Scope.READ))

    assert yard.version()["status"] == "READY"
    assert yard.refused("POST", "registered-models/create", {"name": "new"}) == (403, "PERMISSION_DENIED")
    assert yard.refused("PATCH", "registered-models/update", {"name": "m"}) == (403, "PERMISSION_DENIED")


def test_the_first_administrator_is_told_apart_from_everybody_else(yard: Yard) -> None:
    yard.token = "first-administrator"
    yard.call("POST", "registered-models/create", {"name": "m"})

    assert yard.call("GET", "registered-models/get", name="m")["registered_model"]["user_id"] == "admin"
