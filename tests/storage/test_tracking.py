"""Asking a tracking server: what is taken from its answers, and what its failures mean."""

import base64
import socket

import pytest

from modelyard.errors import ConfigurationError, NotFound, SourceUnreadable, TemporaryFailure
from modelyard.storage import tracking
from modelyard.storage.tracking import TrackingServer
from tests.storage.far_server import as_json

MODEL_ID = "m-0123456789abcdef0123456789abcdef"
RUN_PATH = "/api/2.0/mlflow/runs/get"


def test_a_logged_model_tells_where_it_lies_and_which_run_made_it(far_server, tracking_server):
    far_server.logged_model(MODEL_ID, "mlflow-artifacts:/1/models/m/artifacts", name="om", run_id="r9")

    info = tracking_server.logged_model(MODEL_ID)

    assert (info.artifact_uri, info.name, info.run_id) == ("mlflow-artifacts:/1/models/m/artifacts", "om", "r9")


def test_a_run_tells_where_it_lies_and_which_models_it_made(far_server, tracking_server):
    far_server.run("r 1/&", "mlflow-artifacts:/1/r1/artifacts", MODEL_ID)

    info = tracking_server.run("r 1/&")

    assert (info.artifact_uri, info.model_ids) == ("mlflow-artifacts:/1/r1/artifacts", (MODEL_ID,))


def test_a_run_of_an_older_server_made_no_models(far_server, tracking_server):
    far_server.runs["r1"] = {"run": {"info": {"artifact_uri": "x"}}}

    assert tracking_server.run("r1").model_ids == ()


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ({}, None),
        ({"token": "t0k"}, "Bearer t0k"),
        ({"username": "ann", "password": "pw"}, "Basic " + base64.b64encode(b"ann:pw").decode()),
    ],
)
def test_credentials_are_sent_and_compression_is_not_asked_for(far_server, credentials, header):
    far_server.run("r1", "x")
    server = TrackingServer(far_server.url, **credentials)

    server.run("r1")

    headers = {name.lower(): value for name, value in far_server.requests[0][1].items()}
    assert headers.get("authorization") == header
    assert headers["accept-encoding"] == "identity"
    server.close()


@pytest.mark.parametrize(
    "url", ["", "host:5000", "ftp://host", "/path", "http://", "http://user:pw@host", "http://host?x=1", "sqlite:///x"]
)
def test_an_address_that_is_no_server_is_refused_at_start(url):
    with pytest.raises(ConfigurationError, match="MODELYARD_TRACKING_URI") as refusal:
        TrackingServer(url)

    assert "pw" not in refusal.value.message


def test_the_server_may_live_below_a_path(far_server):
    far_server.lies[f"/mlflow{RUN_PATH}"] = as_json({"run": {"info": {"artifact_uri": "there"}}})
    server = TrackingServer(f"{far_server.url}/mlflow/")

    assert server.run("r1").artifact_uri == "there"
    server.close()


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, SourceUnreadable, "MODELYARD_TRACKING_TOKEN"),
        (403, SourceUnreadable, "MODELYARD_TRACKING_TOKEN"),
        (400, SourceUnreadable, "answered 400"),
        (204, SourceUnreadable, "answered 204"),
        (404, NotFound, "does not know"),
        (408, TemporaryFailure, "answered 408"),
        (429, TemporaryFailure, "answered 429"),
        (500, TemporaryFailure, "answered 500"),
        (503, TemporaryFailure, "answered 503"),
    ],
)
def test_each_refusal_says_whether_waiting_helps_and_what_to_set(far_server, tracking_server, status, error, message):
    far_server.lies[RUN_PATH] = (status, {}, b"")

    with pytest.raises(error, match=message):
        tracking_server.run("r1")


def test_a_redirect_is_not_followed(far_server, tracking_server):
    far_server.lies[RUN_PATH] = (302, {"Location": f"{far_server.url}/elsewhere"}, b"")

    with pytest.raises(SourceUnreadable, match="redirect"):
        tracking_server.run("r1")

    assert len(far_server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b"\xff"),
        (200, {"Content-Encoding": "gzip"}, b"{}"),
    ],
)
def test_an_answer_that_is_not_mlflows_is_unreadable(far_server, tracking_server, answer):
    far_server.lies[RUN_PATH] = answer

    with pytest.raises(SourceUnreadable):
        tracking_server.run("r1")


@pytest.mark.parametrize(
    "document", [{}, {"run": []}, {"run": {"info": 3, "outputs": "x"}}, {"run": {"info": {"artifact_uri": 3}}}]
)
def test_what_is_missing_from_an_answer_is_empty_not_an_accident(far_server, tracking_server, document):
    far_server.lies[RUN_PATH] = as_json(document)

    info = tracking_server.run("r1")

    assert (info.artifact_uri, info.model_ids) == ("", ())


def test_an_answer_without_end_is_cut_off(far_server, tracking_server, monkeypatch):
    monkeypatch.setattr(tracking, "MAX_ANSWER_BYTES", 1000)
    far_server.lies[RUN_PATH] = (200, {}, b" " * 1001)

    with pytest.raises(SourceUnreadable, match="more than 1000 bytes"):
        tracking_server.run("r1")


def test_a_listing_that_is_no_list_is_unreadable(far_server, tracking_server):
    far_server.lies["/api/2.0/mlflow-artifacts/artifacts?path=x"] = as_json({"files": "all"})

    with pytest.raises(SourceUnreadable, match="no list"):
        tracking_server.list_artifacts("x")


def test_a_cut_answer_is_temporary(far_server, tracking_server):
    far_server.lies[RUN_PATH] = (200, {"Content-Length": "500", "Connection": "close"}, b'{"run": ')

    with pytest.raises(TemporaryFailure, match="does not answer"):
        tracking_server.run("r1")


def test_a_server_that_is_away_is_temporary():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server = TrackingServer(f"http://127.0.0.1:{closed.getsockname()[1]}")

        with pytest.raises(TemporaryFailure, match="does not answer"):
            server.run("r1")
        server.close()


def test_a_server_that_hangs_is_temporary():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server = TrackingServer(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout_s=0.05)

        with pytest.raises(TemporaryFailure, match="ReadTimeout"):
            server.run("r1")
        server.close()
