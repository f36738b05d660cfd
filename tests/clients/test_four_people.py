"""Four people with the real databricks-sdk, the current one and 0.57: every method but webhooks, refusals included."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.environments import ClientEnvironment
from tests.databases import SYSTEM_MOSTLY_ON_POSTGRESQL
from tests.systems import System

# Its databricks-sdk is the current one.
RELEASES = ["mlflow3", pytest.param("databricks057", marks=pytest.mark.more)]

PEOPLE = {
    "owner": "owner@example.com",
    "reader": "reader@example.com",
    "staging": "staging@example.com",
    "admin": "admin@example.com",
}
DENIED = [
    "get, before",
    "reader moves",
    "reader describes",
    "reader describes a version",
    "reader tags",
    "reader tags a version",
    "reader registers",
    "reader renames",
    "reader deletes",
    "reader deletes a version",
    "reader permits",
    "reader approves",
    "another's words",
    "staging approves Production",
    "staging rejects Production",
    "staging deletes another's words",
    "another's request",
]
GONE = ["cancelled twice", "approved twice", "no such comment", "gone", "gone, by id"]


@pytest.fixture(scope="module")
def system_settings() -> dict[str, object]:
    """Locked doors."""
    return {"auth": "token", "admin_token": "first-administrator-of-the-test"}


@pytest.fixture(scope="module")
def tokens(system: System) -> dict[str, str]:
    """Person -> token, entered by the commands that an operator would use."""
    for person, name in PEOPLE.items():
        assert modelyard(system, "user", "create", name, *["--admin"] * (person == "admin")) == name
    return {person: modelyard(system, "token", "create", name) for person, name in PEOPLE.items()}


def modelyard(system: System, *words: str) -> str:
    """Run a command of `modelyard` beside a system; return what it prints."""
    command = [sys.executable, "-m", "modelyard", *words]
    done = subprocess.run(command, env=system.environment(), capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.shows("directly", "or-request", "approve", "reject", "cancel", "creator-cancels", "taken", "rename")
@SYSTEM_MOSTLY_ON_POSTGRESQL
@pytest.mark.parametrize("release", RELEASES)
def test_four_people_work_on_one_model(
    client_environment: Callable[[str], ClientEnvironment], system: System, tokens: dict[str, str], release: str
) -> None:
    source = sample(system.folder)

    given = {"host": system.url, "source": source, "tokens": tokens}
    answer = client_environment(release).run("databricks_four_people.py", given)

    told, no = answer["told"], answer["no"]
    assert set(answer["called"]) == {method for method in answer["methods"] if "webhook" not in method}
    assert len(answer["called"]) == 31
    assert told["me"] == PEOPLE
    assert told["admin groups"] == ["admins"]
    assert told["created"] == ["fraud", "owner@example.com"]
    assert [told[f"version {number}"] for number in (1, 2, 3)] == ["READY"] * 3
    assert (told["description"], told["tags"]) == ("finds fraud", {"colour": "blue"})
    assert told["found by the reader before"] == []
    assert told["owner's level"] == told["administrator's level"] == "CAN_MANAGE"
    assert told["levels"] == told["the same by w.permissions"]
    assert told["levels"] == {
        "owner@example.com": "CAN_MANAGE",
        "reader@example.com": "CAN_READ",
        "staging@example.com": "CAN_MANAGE_STAGING_VERSIONS",
    }
    assert told["seen by the reader"] == {"reader@example.com": "CAN_READ"}
    assert len(told["described"]) == 5
    assert told["found by the reader"] == ["fraud"]
    assert told["versions found by the reader"] == ["1", "2", "3"]
    assert told["download"].startswith(f"{system.url}/api/2.0/mlflow-artifacts/artifacts/versions/")
    assert told["asked"] == ["Production", "reader@example.com", "please"]
    assert told["said"] == ["looks very good", "reader@example.com"]
    assert told["moved"] == ["Staging", "CAN_MANAGE_STAGING_VERSIONS"]
    assert told["rejected"] == ["REJECTED_REQUEST", "staging@example.com", "not yet"]
    assert (told["open for 3"], told["open for 2"]) == (0, [["reader@example.com", "Production"]])
    assert told["approved"] == ["APPROVED_REQUEST", "None", "Production"]
    assert told["open afterwards"] == 0
    assert told["stages"] == {"1": "Archived", "2": "Production", "3": "None"}
    assert told["latest"] == ["2"]
    assert (told["renamed"], told["found at last"]) == ("fraud-2", [])
    assert {case: no[case] for case in DENIED} == dict.fromkeys(DENIED, "PermissionDenied")
    assert {case: no[case] for case in GONE} == dict.fromkeys(GONE, "ResourceDoesNotExist")
    assert no["no such token"] == "Unauthenticated"
    assert no["taken name"] == "ResourceAlreadyExists"
    assert no["nonsense"] == "InvalidParameterValue"
    assert no["in Production"] == "InvalidState"
    assert set(no) == {*DENIED, *GONE, "no such token", "taken name", "nonsense", "in Production"}


@SYSTEM_MOSTLY_ON_POSTGRESQL
@pytest.mark.parametrize("release", RELEASES)
def test_an_administrator_enters_people_groups_programs_and_tokens(
    client_environment: Callable[[str], ClientEnvironment], system: System, tokens: dict[str, str], release: str
) -> None:
    token = modelyard(system, "token", "create", PEOPLE["admin"], "--scope", "admin")

    answer = client_environment(release).run("databricks_people.py", {"host": system.url, "token": token})

    assert answer["told"] == {
        "created": ["ann@example.org", "Ann", True],
        "got": "ann@example.org",
        "found": ["ann@example.org"],
        "updated": "Ann A.",
        "group": ["risk", ["Ann A."]],
        "ann's groups": ["risk"],
        "members afterwards": 0,
        "groups": ["admins", "risk"],
        "program found": ["ci"],
        "program is": True,
        "by its own token": True,
        "its tokens": ["pipeline", "short"],
        "all tokens of it": ["pipeline"],
        "active": False,
        "left": [[], ["admins"], []],
    }
    assert answer["no"] == {
        "twice": "ResourceAlreadyExists",
        "unknown": "ResourceDoesNotExist",
        "program enters people": "PermissionDenied",
        "program lists everybody's tokens": "PermissionDenied",
        "a revoked token": "Unauthenticated",
        "a token that was taken away": "Unauthenticated",
    }


def sample(folder: Path) -> Path:
    """Write a model's folder below the system's source root."""
    source = folder / "sources" / "sample"
    source.mkdir(exist_ok=True)
    (source / "MLmodel").write_text("flavors: {}\n")
    (source / "weights.bin").write_bytes(b"weights")
    return source
