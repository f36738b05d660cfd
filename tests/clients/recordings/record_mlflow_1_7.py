"""Record what mlflow 1.7.2 sends, and what it makes of the answers: `mlflow-1.7.2.json`, which a test replays.

That release does not run on the Pythons that Modelyard runs on, so this is run by hand, on Python 3.7:

    python3.7 -m venv old && old/bin/pip install mlflow==1.7.2 "protobuf<3.21" "flask<2" "jinja2<3" "werkzeug<2" \
        "markupsafe<2" "itsdangerous<2" "click<8"
    MODELYARD_SOURCE_ROOTS=/tmp/sources modelyard up     # with a model (a folder with MLmodel) as /tmp/sources/model
    old/bin/python record_mlflow_1_7.py http://127.0.0.1:5080 /tmp/sources/model > mlflow-1.7.2.json

It asks for each thing that this client can do with a registry; the server must hold no model yet.
"""

import json
import sys
import time

import requests
from google.protobuf.json_format import MessageToDict
from mlflow.exceptions import RestException
from mlflow.store.model_registry import rest_store
from mlflow.tracking import MlflowClient

URL, SOURCE = sys.argv[1:]
exchanges = []


def record_requests() -> None:
    """Write down every request on its way to the socket, and every answer as the client's messages hold it."""
    send, call_endpoint = requests.Session.send, rest_store.call_endpoint

    def sending(session, request, **options):
        headers = {name: request.headers[name] for name in ("User-Agent", "Content-Type") if name in request.headers}
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        exchanges.append({"method": request.method, "target": request.path_url, "headers": headers, "body": body})
        return send(session, request, **options)

    def calling(*arguments):
        try:
            message = call_endpoint(*arguments)
        except RestException as error:
            exchanges[-1]["error_code"] = error.json["error_code"]
            raise
        exchanges[-1]["understood"] = MessageToDict(message, preserving_proto_field_name=True)
        return message

    requests.Session.send = sending
    rest_store.call_endpoint = calling


def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except RestException:
        return
    raise AssertionError("This was to be refused.")


def wait_until_ready(client, version) -> None:
    """This client never waits for a version; the recording keeps one look at it, the last."""
    before = len(exchanges)
    while client.get_model_version("prices", version).status != "READY":
        time.sleep(0.1)
    del exchanges[before:-1]


def main() -> None:
    client = MlflowClient(tracking_uri=URL)
    client.create_registered_model("prices")
    refused(client.create_registered_model, "prices")
    client.update_registered_model("prices", description="words of 2020")
    client.get_registered_model("prices")
    client.list_registered_models()

    for version in (1, 2):
        client.create_model_version("prices", SOURCE, "r1")
        wait_until_ready(client, version)
    client.update_model_version("prices", 1, description="the first")
    refused(client.get_model_version, "prices", 9)
    client.transition_model_version_stage("prices", 1, "Production")
    client.update_model_version("prices", 2, stage="staging")
    client.get_latest_versions("prices")
    client.get_latest_versions("prices", ["Staging", "Production"])
    client.search_model_versions("name='prices'")
    client.get_model_version_download_uri("prices", 1)

    refused(client.update_registered_model, "prices", "house prices")
    refused(client.delete_model_version, "prices", 1)
    client.transition_model_version_stage("prices", 1, "Archived")
    client.transition_model_version_stage("prices", 2, "None")
    client.update_registered_model("prices", "house prices")
    client.delete_model_version("house prices", 1)
    client.delete_registered_model("house prices")
    refused(client.get_registered_model, "house prices")


record_requests()
main()
text = json.dumps(exchanges, indent=1, sort_keys=True)
print(text.replace(SOURCE, "{source}").replace(URL, "{url}"))
