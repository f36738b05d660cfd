"""Whatever is sent to the application, it is the client's mistake and never the server's."""

import io
import time
from urllib.parse import unquote_to_bytes

from hypothesis import HealthCheck, given, settings
from werkzeug.test import run_wsgi_app

from tests.web.fuzz.hostile import VERSION_ID, Hostile, hostile_requests
from tests.web.fuzz.verdicts import Answer, complaint
from tests.web.yards import Yard

REQUESTS = 400
# After so many requests, what hostile ones deleted or renamed is made again.
RENEWED_EVERY = 25


def send(yard: Yard, asked: Hostile, version_id: str) -> Answer:
    """Hand the request to the application as the server would."""
    environ = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(asked.path.replace(VERSION_ID, version_id)).decode("latin-1"),
        "QUERY_STRING": asked.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(asked.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if asked.framing == "length" and asked.body:
        environ["CONTENT_LENGTH"] = str(len(asked.body))
    elif asked.framing == "chunked":
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    for name, value in asked.headers:
        variable = name.upper().replace("-", "_")
        environ[variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}"] = value
    began_s = time.perf_counter()
    pieces, status, headers = run_wsgi_app(yard.app, environ)
    body = b"".join(pieces)
    return Answer(int(status.split()[0]), headers.get("Content-Type", ""), body, time.perf_counter() - began_s)


def test_no_request_is_a_server_error(yard: Yard) -> None:
    numbers = iter(range(10 * REQUESTS))
    version_id = ""

    @settings(max_examples=REQUESTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(hostile_requests())
    def refuse(asked: Hostile) -> None:
        nonlocal version_id
        if next(numbers) % RENEWED_EVERY == 0:
            yard.ready()
            version_id = yard.call("GET", "model-versions/get-download-uri", name="m", version=newest(yard))[
                "artifact_uri"
            ][-32:]
        answer = send(yard, asked, version_id)

        assert complaint(asked, answer) == ""

    refuse()


def newest(yard: Yard) -> str:
    versions = yard.call("GET", "model-versions/search", filter="name = 'm'")["model_versions"]
    return str(max(int(version["version"]) for version in versions if version["status"] == "READY"))
