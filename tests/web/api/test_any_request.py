"""Whatever is sent, it is the client's mistake and never the server's."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.web.api.routes import FILES, NATIVE, NATIVE_PREFIX, PEOPLE, PERMISSIONS, PREFIXES, REGISTRY
from tests.web.yards import UPLOADS, Yard

FIELDS = [
    "name",
    "version",
    "stage",
    "source",
    "tags",
    "description",
    "run_id",
    "filter",
    "max_results",
    "page_token",
    "order_by",
    "stages",
    "path",
    "archive_existing_versions",
    "comment",
    "model_id",
    "run_link",
    "userName",
    "displayName",
    "active",
    "members",
    "groups",
    "Operations",
    "startIndex",
    "count",
    "token_id",
    "lifetime_seconds",
    "status",
    "kind",
    "queue",
    "actor",
    "created_after_ms",
    "after",
    "format",
    "enabled",
    "rule",
    "expression",
    "time_zone",
]
WORDS = ["m", "1", "Production", "/x", "models:/m/1", f"dbfs:{UPLOADS}/a/b", "true", "name='m'", "name ASC", "\0"]
# What answers with lines.
LOGS = (f"{NATIVE_PREFIX}/jobs/1/log", f"{NATIVE_PREFIX}/audit/export")
PLAUSIBLE = {"name": "m", "version": "1", "stage": "Staging", "source": "dummy-source"}

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    leaves | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
routes = [(route.method, PREFIXES[0] + route.path) for route in REGISTRY]
routes += [(route.method, NATIVE_PREFIX + route.path) for route in NATIVE]
routes += [(route.method, route.path) for route in FILES + PEOPLE + PERMISSIONS]
IN_PATH = {
    "job_id": "1",
    "number": "1",
    "version": "1",
    "name": "m",
    "path": "x",
}
routes = [
    (method, re.sub(r"<(?:path:)?(\w+)>", lambda match: IN_PATH.get(match[1], "0" * 32), path))
    for method, path in routes
]
routes += [("PATCH", f"{NATIVE_PREFIX}/schedules/prune_jobs")]


@pytest.mark.parametrize("plausible", [True, False])
def test_no_request_is_a_server_error(yard: Yard, plausible: bool) -> None:
    yard.ready()

    @settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.nested_given])
    @given(st.sampled_from(routes), st.dictionaries(st.sampled_from(FIELDS), values, max_size=6))
    def send(route: tuple[str, str], fields: dict[str, Any]) -> None:
        method, path = route
        asked = PLAUSIBLE | fields if plausible else fields
        if method == "GET":
            path = f"{path}?{urlencode({name: str(value) for name, value in asked.items()}, errors='replace')}"
            answer = yard.client.get(path)
        else:
            answer = yard.client.open(path, method=method, data=json.dumps(asked))

        # 501 is what multipart uploads are declined with.
        assert answer.status_code < 500 or answer.status_code == 501, answer.get_data(as_text=True)
        assert answer.get_json(silent=True) is not None or (answer.status_code == 200 and path.startswith(LOGS))

    send()
