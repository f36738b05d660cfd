"""Requests, approvals, comments and permissions, as several people see and do them."""

from collections.abc import Callable

import pytest

from tests.web.ui.reader import Reader, elements, links, text_of
from tests.web.ui.test_signing_in import ADMIN_TOKEN, sign_in
from tests.web.yards import Yard

HERE = "/models/m/versions/1"


@pytest.fixture
def locked(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors and a READY version that `owner` manages."""
    yard = open_yard(auth="token", admin_token=ADMIN_TOKEN)
    yard.token = yard.person("owner")
    yard.ready("m")
    return yard


def allow(yard: Yard, name: str, level: str) -> Reader:
    """Return a browser of somebody who holds a level on the model."""
    reader = sign_in(yard, yard.person(name))
    owner = sign_in(yard, yard.token)
    owner.done("/models/m/permissions", kind="user", principal=name, level=level)
    return reader


def test_whoever_may_not_move_a_version_asks_and_is_answered(locked: Yard) -> None:
    reader, owner = allow(locked, "reader", "CAN_READ"), sign_in(locked, locked.token)
    menu = text_of(reader.open(HERE))
    assert "Request transition to Production" in menu
    assert "Transition to Production" not in menu.replace("Request transition to", "")

    reader.done(f"{HERE}/transition", to="Production", wish="1", comment="beats version 0")
    assert "beats version 0" in text_of(owner.open("/requests"))
    assert "1 wait for you" in text_of(owner.open("/models"))
    assert "Nothing waits for you" in text_of(reader.open("/requests"))
    assert "beats version 0" in text_of(reader.open("/requests?view=asked"))
    assert locked.version()["current_stage"] == "None"
    owner.done(f"{HERE}/requests", to="Production", answer="approve", comment="agreed")

    assert locked.version()["current_stage"] == "Production"
    told = text_of(owner.open(HERE))
    assert "owner approved Production" in told
    assert "agreed" in told
    assert "Pending requests" not in told


def test_who_sees_which_answer(locked: Yard) -> None:
    asker, other = allow(locked, "asker", "CAN_READ"), allow(locked, "other", "CAN_READ")
    owner = sign_in(locked, locked.token)
    asker.done(f"{HERE}/transition", to="Staging", wish="1", comment="")

    def answers(reader: Reader) -> set[str]:
        found = links(reader.open(HERE))
        return {word for word in ("approve", "reject", "cancel") if any(f"answer={word}" in link for link in found)}

    assert answers(owner) == {"approve", "reject", "cancel"}
    assert answers(asker) == {"cancel"}
    assert answers(other) == set()
    asker.done(f"{HERE}/requests", to="Staging", answer="cancel", creator="asker", comment="")
    assert answers(owner) == set()


def test_an_answer_that_comes_too_late_says_so_and_keeps_its_comment(locked: Yard) -> None:
    owner = sign_in(locked, locked.token)

    html = owner.refused(f"{HERE}/requests", to="Staging", answer="reject", comment="not yet")

    assert "Nobody has an open request" in text_of(html)
    assert "not yet" in html


def test_comments_are_written_changed_and_removed_by_their_author(locked: Yard) -> None:
    reader, owner = allow(locked, "reader", "CAN_READ"), sign_in(locked, locked.token)
    reader.done(f"{HERE}/comments", comment="**Fine** <script>alert(1)</script>")
    html = reader.open(HERE)
    edit = next(link for link in links(html) if "/comments/" in link)

    assert "<strong>Fine</strong>" in html
    assert "<script>alert" not in html
    assert edit not in links(owner.open(HERE))
    assert owner.send(edit, comment="mine now").status_code == 403
    reader.done(edit, comment="Changed")
    assert "Changed" in text_of(owner.open(HERE))
    owner.done(f"{edit}/delete")
    assert "Changed" not in text_of(owner.open(HERE))
    assert "Missing value" in text_of(reader.refused(f"{HERE}/comments", comment=""))


def test_permissions_are_granted_explained_and_taken_away(locked: Yard) -> None:
    owner = sign_in(locked, locked.token)
    locked.person("ann")

    owner.done("/models/m/permissions", kind="user", principal="ann", level="CAN_EDIT")
    assert "ann has CAN_EDIT" in text_of(owner.open("/models/m/permissions?check=ann"))
    assert "There is no user" in text_of(
        owner.refused("/models/m/permissions", kind="user", principal="x", level="CAN_READ")
    )
    owner.done("/models/m/permissions", kind="user", principal="ann", level="NONE")

    assert "ann has no permission" in text_of(owner.open("/models/m/permissions?check=ann"))


def test_ones_own_level_is_changed_only_when_asked_twice(locked: Yard) -> None:
    owner = sign_in(locked, locked.token)

    html = owner.refused("/models/m/permissions", kind="user", principal="owner", level="CAN_READ")
    assert "This is your own level" in text_of(html)
    owner.done("/models/m/permissions", kind="user", principal="owner", level="CAN_READ", own="1")

    assert (
        owner.send("/models/m/permissions", kind="user", principal="owner", level="CAN_MANAGE", own="1").status_code
        == 403
    )


def test_whoever_may_not_see_a_model_sees_nothing_of_it_on_any_page(locked: Yard) -> None:
    stranger = sign_in(locked, locked.person("stranger"))
    owner = sign_in(locked, locked.token)
    owner.done(f"{HERE}/transition", to="Staging", comment="secret words")

    for path in ("/models", "/jobs", "/requests", "/audit", "/trash", "/usage", "/workers"):
        html = stranger.open(path)
        assert HERE not in html, path
        assert "secret words" not in html, path
    for path in (
        "/models/m",
        HERE,
        f"{HERE}/artifacts/MLmodel",
        f"{HERE}/raw/MLmodel",
        "/models/m/compare?v=1",
        "/jobs/1",
    ):
        answer = stranger.get(path)
        assert answer.status_code in (403, 404), path
        assert "flavors" not in answer.get_data(as_text=True)
    for path in (f"{HERE}/description", "/models/m/description", f"{HERE}/comments", "/models/m/delete"):
        assert stranger.send(path, description="x", comment="x", name="m", seen="0").status_code in (403, 404), path


def test_the_audit_log_is_filtered_and_exported(locked: Yard) -> None:
    owner = sign_in(locked, locked.token)
    owner.done(f"{HERE}/transition", to="Staging", comment="")

    html = owner.open("/audit?action=transitionModelVersionStage&model=m")
    export = owner.get("/audit.jsonl?model=m&from=2020-01-01&to=2999-01-01")

    assert "transitionModelVersionStage" in text_of(html)
    assert "createRegisteredModel" not in {option.get("selected") for option in elements(html, "option")}
    assert len(export.data.splitlines()) >= 3
    assert "No such entry" in text_of(owner.open("/audit?actor=nobody&from=odd"))
