"""The lock files: complete, hashed, without addresses, and agreeing with pyproject.toml and each other."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
LOCKS = sorted(path for folder in (".", "tests/clients", "benchmarks") for path in (CHECKOUT / folder).glob("*.lock"))


def locked(lock: Path) -> dict[str, set[str]]:
    """Return the pins of a lock file: name -> versions, more than one where they depend on the interpreter."""
    pins: dict[str, set[str]] = defaultdict(set)
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE):
        pins[canonicalize_name(name)].add(version)
    return pins


def assert_satisfied(wanted: list[str], pins: dict[str, set[str]]) -> None:
    for requirement in map(Requirement, wanted):
        versions = pins.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement} is not locked; run `make lock`."
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}: run `make lock`."


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_hashes_and_no_addresses(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"^\S.*\n(?: .*\n)*", text, re.MULTILINE)

    assert pins
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert not re.search(r"https?:|index-url|file:", text)


def test_everything_that_runs_is_locked() -> None:
    project = PROJECT["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["cloud"] + PROJECT["dependency-groups"]["build"]

    assert_satisfied(wanted, locked(CHECKOUT / "requirements.lock"))


def test_every_tool_is_locked() -> None:
    wanted = [tool for tool in PROJECT["dependency-groups"]["dev"] if isinstance(tool, str)]

    assert_satisfied(wanted, locked(CHECKOUT / "requirements-dev.lock"))


def test_tests_run_on_the_very_versions_that_users_get() -> None:
    users, tests = locked(CHECKOUT / "requirements.lock"), locked(CHECKOUT / "requirements-dev.lock")

    assert {name: tests[name] for name in users} == users
