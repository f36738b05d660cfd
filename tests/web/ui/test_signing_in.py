"""Signing in by token and by link, and out; what a session opens, and what ends it."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from modelyard.console.login_link import login_link
from modelyard.database.session import current_ms, transaction
from modelyard.database.tables import metadata
from modelyard.registry.principals import require_account
from modelyard.registry.tokens import create_token
from modelyard.registry.users import set_active
from modelyard.rules.tokens import Scope, TokenLimits, public_id_of
from tests.web.ui.reader import Reader, elements, links, text_of
from tests.web.yards import CONSOLE, Yard

ADMIN_TOKEN = "first-administrator"
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def locked(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors."""
    return open_yard(auth="token", admin_token=ADMIN_TOKEN)


def sign_in(yard: Yard, token: str) -> Reader:
    """Return a browser that is signed in."""
    reader = Reader(yard)
    answer = send_login(reader, token)
    assert answer.status_code == 303, answer.get_data(as_text=True)[:2000]
    return reader


def send_login(reader: Reader, token: str, onward: str = "") -> TestResponse:
    """Send the form that signs in."""
    fields = {"form_token": form_token(reader), "token": token, "next": onward}
    return reader.client.post("/login", data=fields)


def form_token(reader: Reader) -> str:
    """Return the token of this browser's forms; the page of settings shows it to nobody who is not signed in."""
    return str(elements(reader.open("/login"), "meta", name="form-token")[0]["content"])


def test_whoever_is_not_signed_in_is_led_to_the_login_and_back(locked: Yard) -> None:
    token = locked.person("ann")
    reader = Reader(locked)

    away = reader.get("/jobs?status=failed")
    form = reader.open(away.headers["Location"])
    back = send_login(reader, token, str(elements(form, "input", name="next")[0]["value"]))

    assert away.status_code == 303
    assert back.headers["Location"] == "/jobs?status=failed"
    assert "ann" in text_of(reader.open("/jobs"))


def test_a_wrong_token_is_refused_in_the_same_words_whatever_is_wrong(locked: Yard) -> None:
    token = locked.person("ann")
    locked.revoke(token)
    reader = Reader(locked)

    told = set()
    for wrong in ("guess", token, f"mdy_{'0' * 16}_{'x' * 43}"):
        answer = send_login(reader, wrong)
        assert answer.status_code == 422
        told.add(text_of(answer.get_data(as_text=True)))

    assert len(told) == 1


def test_after_many_guesses_nobody_is_heard(locked: Yard) -> None:
    reader = Reader(locked)

    answers = [send_login(reader, f"guess-{number}").get_data(as_text=True) for number in range(40)]

    assert "That did not work" in answers[0]
    assert "That did not work" not in answers[-1]


@pytest.mark.parametrize("onward", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"])
def test_signing_in_leads_to_pages_of_ours_alone(locked: Yard, onward: str) -> None:
    answer = send_login(Reader(locked), ADMIN_TOKEN, onward)

    assert answer.headers["Location"] == "/models"


def test_a_session_opens_pages_and_never_the_api(locked: Yard) -> None:
    reader = sign_in(locked, locked.person("ann"))

    page = reader.get("/models")
    route = reader.client.get("/api/2.0/mlflow/registered-models/search")

    assert page.status_code == 200
    assert route.status_code == 401


def test_a_session_is_worth_nothing_in_another_browser(locked: Yard) -> None:
    reader, thief = sign_in(locked, locked.person("ann")), Reader(locked)
    cookie = reader.client.get_cookie("modelyard_session")
    assert cookie is not None
    thief.client.set_cookie("modelyard_session", cookie.value)

    assert thief.get("/models").status_code == 303


def test_the_browsers_number_is_another_one_after_signing_in(locked: Yard) -> None:
    reader = Reader(locked)
    before = form_token(reader)
    send_login(reader, ADMIN_TOKEN)

    assert reader.send("/new", token=before, name="m").status_code == 403


def test_a_session_has_the_limits_of_the_token_that_began_it(locked: Yard) -> None:
    locked.person("ann", "admins")
    with transaction(locked.engine) as session:
        limits = TokenLimits(Scope.READ)
        _, token = create_token(session, CONSOLE, require_account(session, "ann"), limits, lifetime_s=3600)
    reader = sign_in(locked, token)

    answer = reader.send("/new", name="made")

    assert answer.status_code == 403
    assert "scope read" in text_of(answer.get_data(as_text=True))


@pytest.mark.parametrize("end", ["out", "everywhere", "token", "disabled"])
def test_what_ends_a_session(locked: Yard, end: str) -> None:
    token = locked.person("ann")
    first, second = sign_in(locked, token), sign_in(locked, token)

    match end:
        case "out":
            first.send("/logout")
        case "everywhere":
            second.send("/logout/everywhere")
        case "token":
            locked.revoke(token)
        case "disabled":
            with transaction(locked.engine) as session:
                set_active(session, CONSOLE, require_account(session, "ann"), active=False)
    locked.app.extensions["modelyard"].identity.forget_all()

    assert first.get("/models").status_code == 303
    assert (second.get("/models").status_code == 200) is (end == "out")


def test_another_administrators_token_ends_the_sessions_of_the_old_one(
    locked: Yard, open_yard: Callable[..., Yard]
) -> None:
    reader = sign_in(locked, ADMIN_TOKEN)
    assert reader.get("/models").status_code == 200
    later = Reader(open_yard(auth="token", admin_token="second-administrator"))
    for name in ("modelyard_session", "modelyard_browser"):
        cookie = reader.client.get_cookie(name)
        assert cookie is not None
        later.client.set_cookie(name, cookie.value)

    assert later.get("/models").status_code == 303


def test_a_link_signs_in_once_and_looking_at_it_does_not_use_it_up(
    locked: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked.person("ann")
    settings = locked.runtime.settings
    monkeypatch.setenv("MODELYARD_DATABASE_URL", str(settings.database_url.get_secret_value()))
    address = urlsplit(login_link(settings, "ann"))
    path = f"{address.path}?{address.query}"
    first, second = Reader(locked), Reader(locked)

    for reader in (first, second):
        form = reader.open(path)
        assert "as ann" in text_of(form)
    fields = [
        {
            "form_token": elements(reader.open(path), "meta", name="form-token")[0]["content"],
            "link": elements(reader.open(path), "input", name="link")[0]["value"],
        }
        for reader in (first, second)
    ]
    taken = first.client.post("/login/link", data=fields[0])
    late = second.client.post("/login/link", data=fields[1])

    assert taken.status_code == 303
    assert "ann" in text_of(first.open("/models"))
    assert late.status_code == 401


def test_a_forged_link_opens_nothing(locked: Yard) -> None:
    assert Reader(locked).get("/login/link?link=forged").status_code == 404


def test_nothing_of_a_login_appears_where_nobody_needs_one(reader: Reader) -> None:
    assert reader.get("/login").headers["Location"] == "/models"
    assert "Sign out" not in text_of(reader.open("/settings/profile"))


def test_a_token_is_made_shown_once_and_revoked(locked: Yard) -> None:
    reader = sign_in(locked, locked.person("ann"))

    made = reader.send("/settings/tokens", comment="nightly", scope="write", models="", stage="Staging", days="7")
    text = text_of(made.get_data(as_text=True))
    listed = text_of(reader.open("/settings/tokens"))

    assert made.headers["Cache-Control"] == "no-store"
    assert "mdy_" in text
    assert "nightly" in listed
    assert text.split("mdy_")[1][17:40] not in listed
    refused = reader.refused("/settings/tokens", comment="", scope="write", models="", stage="", days="0")
    assert "from 1 second" in text_of(refused)
    forms = elements(reader.open("/settings/tokens"), "form")
    reader.done(next(str(form["action"]) for form in forms if str(form["action"]).endswith("/revoke")))


def test_a_token_that_ends_within_a_week_is_marked_and_counted(locked: Yard) -> None:
    token = locked.person("ann")
    reader = sign_in(locked, token)
    assert "within a week" not in text_of(reader.open("/settings/tokens"))
    tokens = metadata.tables["tokens"]
    with transaction(locked.engine) as session:
        at_ms = current_ms(session)
        aged = {"created_at_ms": at_ms - 30 * DAY_MS, "expires_at_ms": at_ms + 3 * DAY_MS}
        session.execute(update(tokens).where(tokens.c.public_id == public_id_of(token)).values(**aged))

    listed = text_of(reader.open("/settings/tokens"))
    assert "A token expires within a week" in listed
    elsewhere = reader.open("/models")
    assert "of your tokens ending soon" in text_of(elsewhere)
    assert "/settings/tokens" in links(elsewhere)


def test_an_administrator_enters_people_and_others_do_not(locked: Yard) -> None:
    boss, ann = sign_in(locked, ADMIN_TOKEN), sign_in(locked, locked.person("ann"))

    boss.done("/settings/users", name="bob@grid.example", display_name="Bob")
    assert "already exists" in text_of(boss.refused("/settings/users", name="bob@grid.example"))
    listed = boss.open("/settings/users")
    *_, disable = (str(form["action"]) for form in elements(listed, "form") if "/active" in str(form["action"]))
    boss.done(disable)

    assert "Disabled" in text_of(boss.open("/settings/users"))
    assert ann.get("/settings/users").status_code == 403
    assert ann.send("/settings/users", name="eve").status_code == 403


def test_a_page_never_makes_a_browser_ask_for_a_name_and_password(locked: Yard) -> None:
    reader = Reader(locked)

    fragment = reader.get("/ui/jobs", **{"HX-Request": "true"})
    route = reader.client.get("/api/2.0/mlflow/registered-models/search")

    assert fragment.status_code == 401
    assert "WWW-Authenticate" not in fragment.headers
    assert "WWW-Authenticate" in route.headers
