"""The sessions of docs/how-to/archival.md are what the commands print, one after the other, on both databases."""

import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from modelyard.database.session import current_ms, transaction
from modelyard.database.tables import ModelVersion
from modelyard.rules.plans import DAY_MS
from tests.console.served import ServedYard

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "archival.md"
_SESSION = re.compile(r"```console\n(.*?)```", re.DOTALL)
# What differs from run to run.
_PASSING = [
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r" +"), " "),
]


@pytest.fixture
def shelf(served: ServedYard) -> ServedYard:
    """`fraud` with eight versions of long ago, the eighth in Production after the seventh, and `churn` with two."""
    yard = served.yard
    for name, versions in (("fraud", 8), ("churn", 2)):
        folder = yard.model_folder(name, weights=name.encode() * 1000)
        for _ in range(versions):
            yard.ready(name, source=folder)
    with transaction(yard.engine) as session:
        long_ago = current_ms(session) - 120 * DAY_MS
        session.execute(update(ModelVersion).values(created_at_ms=long_ago, stage_changed_at_ms=long_ago))
    yard.call("POST", "registered-models/alias", {"name": "fraud", "alias": "champion", "version": "6"})
    for number in ("7", "8"):
        body = {"name": "fraud", "version": number, "stage": "Production", "archive_existing_versions": True}
        yard.call("POST", "model-versions/transition-stage", body)
    return served


def test_every_session_of_the_page_is_what_the_commands_print(shelf: ServedYard) -> None:
    ids: dict[str, str] = {}

    with working(shelf):
        for command, expected in commands():
            said = shelf.run(*shlex.split(real(command, ids))[1:])
            assert said.status == 0, (command, said.err)
            assert passing(said.out) == passing(expected), command
            ids |= dict(zip(hex_words(expected), hex_words(said.out), strict=True))


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command of the page with what it prints there."""
    for session in _SESSION.findall(PAGE.read_text()):
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            # A long command goes on behind a backslash.
            command, _, printed = part.replace("\\\n", " ").partition("\n")
            yield command, printed


def real(command: str, ids: dict[str, str]) -> str:
    """Return a command of the page with the ids of this run."""
    for shown, found in ids.items():
        command = command.replace(shown, found)
    return command


def hex_words(text: str) -> list[str]:
    """Return the ids and digests of a text."""
    return re.findall(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b", text)


def passing(text: str) -> list[str]:
    """Return the lines of a text without what differs from run to run."""
    for pattern, word in _PASSING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.strip().splitlines()]


@contextmanager
def working(served: ServedYard) -> Iterator[None]:
    """Let a worker do whatever waits, as long as the page is read."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            served.yard.work()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()
