"""`modelyard user`, `group`, `token` and `audit`, on a database without a server."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from modelyard.cli import app
from modelyard.database.session import reading
from modelyard.registry.authentication import actor_of_token
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope
from tests.web.yards import Yard

Run = Callable[..., str]


@pytest.fixture
def run(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs a command on the yard's database, which must end well, and returns what it prints."""
    settings = yard.runtime.settings
    monkeypatch.setenv("MODELYARD_DATABASE_URL", settings.database)
    monkeypatch.setenv("MODELYARD_HOME", str(settings.home))

    def run(*words: str) -> str:
        answer = CliRunner().invoke(app, [*words], catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    return run


def test_a_token_stands_alone_on_standard_output(yard: Yard, run: Run) -> None:
    run("user", "create", "ann@example.com", "--admin")

    printed = run("token", "create", "ann@example.com", "--scope", "write", "--model", "m", "--stage", "staging")

    assert printed.count("\n") == 1
    with reading(yard.engine) as session:
        actor = actor_of_token(session, printed.strip())
    assert (actor.name, actor.is_admin) == ("ann@example.com", True)
    assert actor.limits.scope is Scope.WRITE
    assert (actor.limits.models, actor.limits.highest_stage) == (frozenset({"m"}), Stage.STAGING)


def test_users_are_created_listed_disabled_and_deleted(run: Run) -> None:
    run("group", "create", "team")
    assert run("user", "create", "Bob", "--group", "team") == "bob\n"
    assert len(run("user", "create", "ci", "--service").strip()) == 36

    listed = json.loads(run("user", "list", "--json"))["users"]
    assert [(one["name"], one["groups"], one["active"]) for one in listed if one["kind"] == "user"] == [
        ("bob", ["team"], True)
    ]
    run("user", "disable", "bob")
    assert [line.split()[:4] for line in run("user", "list").splitlines()][1] == ["bob", "user", "team", "no"]
    assert not json.loads(run("user", "list", "--json"))["users"][0]["active"]
    run("user", "enable", "bob")
    run("user", "delete", "bob")
    assert [one["kind"] for one in json.loads(run("user", "list", "--json"))["users"]] == ["service_principal"]


def test_groups_gain_and_lose_members(run: Run) -> None:
    for name in ("bob", "eve"):
        run("user", "create", name)
    run("group", "create", "team")

    run("group", "add", "team", "bob", "eve")
    run("group", "remove", "team", "bob")

    assert json.loads(run("group", "list", "--json"))["groups"][1]["members"] == ["eve"]
    assert "team    eve" in run("group", "list")
    run("group", "delete", "team")
    assert "team" not in run("group", "list")


def test_tokens_are_listed_and_revoked_by_id_or_as_they_are(run: Run) -> None:
    run("user", "create", "bob")
    first, second = (run("token", "create", "bob", "--comment", "laptop").strip() for _ in range(2))

    listed = run("token", "list")
    assert listed.count("bob") == 2
    assert first.split("_", 2)[2] not in listed
    run("token", "revoke", first)
    run("token", "revoke", second.split("_", 2)[1])

    assert json.loads(run("token", "list", "bob", "--json")) == {"tokens": []}


def test_the_audit_log_is_exported_with_who_was_at_the_console(run: Run) -> None:
    run("user", "create", "bob")
    run("token", "create", "bob")

    entries = [json.loads(line) for line in run("audit", "export").splitlines()]

    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        ("console", "createPrincipal"),
        ("console", "createToken"),
    ]
    assert "@" in entries[0]["address"]
    assert len(run("audit", "export", "--after", str(entries[0]["id"])).splitlines()) == 1
    assert run("audit", "export", "--actor", "nobody") == ""


def test_the_operator_says_how_long_the_audit_log_is_kept(run: Run) -> None:
    assert run("audit", "retention") == "365\n"

    run("audit", "retention", "30")

    assert run("audit", "retention") == "30\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["user", "create", "a b"], "holds a blank"),
        (["user", "create", "new", "--group", "nobody's"], "no group"),
        (["user", "disable", "nobody"], "no user or service principal"),
        (["group", "add", "admins", "nobody"], "no user or service principal"),
        (["token", "create", "nobody"], "no user or service principal"),
        (["token", "create", "local"], "Create a user"),
        (["token", "revoke", "0" * 16], "no token"),
        (["audit", "retention", "0"], "expected from 1"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(yard: Yard, words: list[str], told: str) -> None:
    settings = yard.runtime.settings
    environment = {"MODELYARD_DATABASE_URL": settings.database, "MODELYARD_HOME": str(settings.home)}
    command = [sys.executable, "-m", "modelyard", *words]

    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)

    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert told in answer.stderr
