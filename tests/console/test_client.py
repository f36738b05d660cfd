"""The console's client: what a server says, and one line that tells what to do when it cannot be asked."""

from collections.abc import Iterator

import pytest

from modelyard.console.client import Server, ServerAway, ServerFailed, ServerRefused
from modelyard.errors import ConfigurationError
from tests.servers import free_port
from tests.storage.far_server import FarServer, as_json

JOBS = "/api/v1/jobs"


@pytest.fixture
def far() -> Iterator[FarServer]:
    """A server that says what it is told to say."""
    server = FarServer()
    yield server
    server.stop()


def refused(server: Server) -> str:
    """Ask for the jobs, and return the one line of what went wrong."""
    with pytest.raises((ServerAway, ServerFailed, ServerRefused)) as raised:
        server.get("/jobs").document()
    assert "\n" not in raised.value.message
    return raised.value.message


def test_an_answer_is_given_as_it_came(far):
    far.lies[JOBS] = (200, {}, b'{"jobs":   []}')

    answer = Server(far.url, None).get("/jobs")

    assert answer.text == '{"jobs":   []}'
    assert answer.document() == {"jobs": []}


def test_the_token_is_sent(far):
    far.lies[JOBS] = as_json({"jobs": []})

    Server(f"{far.url}/", "s3cret").get("/jobs")

    assert far.requests[0][1]["Authorization"] == "Bearer s3cret"


def test_filters_that_are_not_given_are_not_sent(far):
    far.lies[JOBS] = as_json({"jobs": []})

    Server(far.url, None).get("/jobs", {"kind": ["a b", "c"], "queue": None, "max_results": 5})

    assert far.requests[0][0] == f"{JOBS}?kind=a+b&kind=c&max_results=5"


def test_credentials_that_are_refused_name_the_setting(far):
    far.lies[JOBS] = (401, {}, b'{"error_code": "CUSTOMER_UNAUTHORIZED", "message": "The token is not known here."}')

    assert refused(Server(far.url, "wrong")) == (
        f"{far.url} does not let in the token that was sent. Set MODELYARD_TOKEN to a token of that server."
    )
    assert "anybody without a token" in refused(Server(far.url, None))


def test_what_the_server_refuses_is_said_in_its_own_words(far):
    far.lies[JOBS] = (404, {}, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Job 7\\nnot found."}')

    assert refused(Server(far.url, None)) == "Job 7 not found."


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"<html>"), (404, b'{"error_code": "ENDPOINT_NOT_FOUND", "message": "There is no such endpoint."}')],
)
def test_a_server_that_is_none_of_ours_is_told_as_such(far, status, body):
    far.lies[JOBS] = (status, {}, body)

    assert "It is no Modelyard, or an older one than this command" in refused(Server(far.url, None))


def test_an_answer_that_is_no_json_is_told_as_such(far):
    far.lies[JOBS] = (200, {}, b"<html>hello</html>")

    assert refused(Server(far.url, None)) == "The answer is not JSON, but '<html>hello</html>'. Is this a Modelyard?"


def test_a_redirect_is_not_followed_with_the_token(far):
    far.lies[JOBS] = (302, {"Location": "http://elsewhere.example/"}, b"")

    told = refused(Server(far.url, "s3cret"))

    assert "sends everybody to http://elsewhere.example/" in told
    assert len(far.requests) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_says_that_it_is_away_may_be_asked_again(far, status):
    far.lies[JOBS] = (status, {}, b"")

    with pytest.raises(ServerAway, match=f"cannot answer now: status {status}"):
        Server(far.url, None).get("/jobs")


def test_a_server_that_does_not_listen_names_the_setting():
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(ServerAway) as raised:
        Server(url, None).get("/jobs")

    assert raised.value.message == (
        f"The server {url} does not answer: Connection refused. Start it, or set MODELYARD_URL."
    )


def test_a_name_that_nobody_knows_is_told_as_such():
    with pytest.raises(ServerAway, match="its name is not known"):
        Server("http://modelyard.invalid", None).get("/jobs")


@pytest.mark.parametrize("url", ["", "127.0.0.1:5080", "ftp://host", "http://", "http://host:port", "http://[::1"])
def test_what_is_no_address_is_refused_with_a_right_one(url):
    with pytest.raises(ConfigurationError, match=r"expected an address such as http://127\.0\.0\.1:5080"):
        Server(url, None)
