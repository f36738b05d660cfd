"""What the server says of itself: to clients that look around, to health checks, to monitoring."""

from http import HTTPStatus

from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST

import modelyard
from modelyard.web.api.answers import Json
from modelyard.web.guard import identify
from modelyard.web.json_answers import json_answer
from modelyard.web.metrics import metrics_text
from modelyard.web.readiness import readiness
from modelyard.web.site import site

# One registry is one workspace; clients want digits.
WORKSPACE_ID = "1"


def health() -> Response:
    """Say that this process answers."""
    return Response("OK", mimetype="text/plain")


def readyz() -> Response:
    """Say whether requests can be served (database, schema), and who is there to work (broker, workers)."""
    found = readiness(site())
    return json_answer(found.body, HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE)


def version() -> Response:
    """Say which release this is."""
    return Response(modelyard.__version__, mimetype="text/plain")


def server_info() -> Json:
    """Tell mlflow 3 what is not offered, so that it does not ask."""
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "multipart_uploads_enabled": False,
        "multipart_downloads_enabled": False,
    }


def databricks_config() -> Json:
    """Answer the probe that databricks-sdk sends before nearly every call: from memory, always."""
    return {"oidc_endpoint": f"{site().public_url}/oidc", "workspace_id": WORKSPACE_ID}


def metrics() -> Response:
    """Show what monitoring collects; without credentials only to this very machine."""
    if not _from_this_machine():
        identify()
    return Response(metrics_text(site()), content_type=CONTENT_TYPE_LATEST)


def _from_this_machine() -> bool:
    # A proxy on this machine forwards for others, and says so.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return site().on_loopback and not forwarded
