"""Logs are one line an event, JSON for programs, and hold no secret whatever was logged."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from modelyard.processes import logs
from modelyard.settings import Settings


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """What is logged as JSON; the logging of the test run is put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers, root.level
    logs.configure(json=True, secrets=["correct horse battery"], stream=stream)
    yield stream
    root.handlers = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
        ("postgresql://me:hunter2@db/name failed", "postgresql://me:***@db/name failed"),
        ("Authorization: Bearer hunter2.hunter2", "Authorization: Bearer ***"),
        ("Basic aHVudGVyMg==", "Basic ***"),
        ("GET /files/x?signature=hunter2&expires=12", "GET /files/x?signature=***&expires=12"),
        ("GET /x?page_token=hunter2", "GET /x?page_token=***"),
        ("the word is correct horse battery", "the word is ***"),
        ("http://127.0.0.1:5080/a@b", "http://127.0.0.1:5080/a@b"),
        ("basic words stay", "basic words stay"),
    ],
)
def test_what_looks_like_a_secret_is_blanked_and_nothing_else(text, kept):
    assert logs.Redaction(["correct horse battery"]).text(text) == kept


def test_fields_named_like_secrets_are_blanked_at_any_depth(output):
    structlog.get_logger("test").info("asked", admin_token="hunter2", headers={"Authorization": "hunter2", "host": "h"})

    line = json.loads(output.getvalue())
    assert line["admin_token"] == "***"
    assert line["headers"] == {"Authorization": "***", "host": "h"}


def test_a_traceback_is_cleaned_as_well(output):
    try:
        raise ValueError("cannot open redis://:hunter2@host")
    except ValueError:
        structlog.get_logger("test").exception("failed")

    assert "hunter2" not in output.getvalue()
    assert "redis://:***@host" in json.loads(output.getvalue())["exception"]


def test_other_libraries_take_the_same_way_out(output):
    logging.getLogger("celery.worker").error("Cannot connect to %s", "redis://:hunter2@host")

    line = json.loads(output.getvalue())
    assert (line["event"], line["level"]) == ("Cannot connect to redis://:***@host", "error")


def test_a_bound_request_id_is_in_every_line(output):
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("test").info("one")
        logging.getLogger("other").warning("two")

    assert [json.loads(line)["request_id"] for line in output.getvalue().splitlines()] == ["r1", "r1"]


def test_a_person_reads_plain_lines(output):
    stream = io.StringIO()
    logs.configure(json=False, stream=stream)

    structlog.get_logger("test").warning("disk nearly full", free_bytes=12)

    assert "disk nearly full" in stream.getvalue()
    assert "free_bytes=12" in stream.getvalue()


def test_every_secret_setting_is_known_to_the_redaction(monkeypatch):
    monkeypatch.setenv("MODELYARD_SECRET_KEY", "newest-key,older-key")
    monkeypatch.setenv("MODELYARD_ADMIN_TOKEN", "the-token")

    assert {"newest-key", "older-key", "the-token"} <= set(logs.secrets_of(Settings()))


def test_logging_goes_to_stderr_so_that_stdout_is_for_answers(capsys, output):
    logs.configure(json=True)

    structlog.get_logger("test").info("hello")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hello" in captured.err
