"""A session with databricks-sdk: a model, a version from a path, what searches find, errors.

Standard input: JSON with `host`, `token` and `source`. Standard output: JSON with what the client objects say.
"""

import json
import sys
import time

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist
from databricks.sdk.service.ml import ModelVersionStatus


def ready_version(registry, name, version):
    """The version once it is READY or FAILED, asked as a pipeline would."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = registry.get_model_version(name=name, version=version).model_version
        if found.status != ModelVersionStatus.PENDING_REGISTRATION:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"Version {version} of {name} is still PENDING_REGISTRATION.")


def error_of(kind, call):
    try:
        call()
    except kind as error:
        return str(error)
    return ""


def main() -> None:
    given = json.load(sys.stdin)
    registry = WorkspaceClient(host=given["host"], token=given["token"]).model_registry

    model = registry.create_model(name="sdk", description="made by the SDK").registered_model
    created = registry.create_model_version(name="sdk", source=given["source"]).model_version
    version = ready_version(registry, "sdk", created.version)

    answer = {
        "model": [model.name, model.description],
        "version": [version.name, version.version, version.status.value, version.status_message],
        "models": [found.name for found in registry.search_models(filter="name = 'sdk'")],
        "versions": [[found.name, found.version] for found in registry.search_model_versions(filter="name = 'sdk'")],
        "download_uri": registry.get_model_version_download_uri(name="sdk", version="1").artifact_uri,
        "again": error_of(ResourceAlreadyExists, lambda: registry.create_model(name="sdk")),
        "unknown": error_of(ResourceDoesNotExist, lambda: registry.get_model_version(name="sdk", version="7")),
        "bad": error_of(InvalidParameterValue, lambda: registry.create_model(name="a/b")),
    }
    print(json.dumps(answer))


main()
