"""What a person does with names, descriptions, stages and searches, by mlflow 3; each line of the answer is a step.

Standard input: JSON with `registry_uri` and `source`, a model's folder. Standard output: JSON, step -> what was seen.
"""

import json
import sys
import warnings

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

# Stages are deprecated at MLflow; they are what this registry is for.
warnings.simplefilter("ignore", FutureWarning)


def code_of(call, *arguments):
    try:
        call(*arguments)
    except MlflowException as error:
        return error.error_code
    return ""


def main() -> None:
    given = json.load(sys.stdin)
    client = MlflowClient(tracking_uri="sqlite:///mlflow.db", registry_uri=given["registry_uri"])
    seen = {}

    client.create_registered_model("prices", tags={"team": "homes"}, description="first words")
    client.update_registered_model("prices", "better words")
    model = client.get_registered_model("prices")
    seen["model"] = [model.name, model.description, model.tags]
    seen["create again"] = code_of(client.create_registered_model, "prices")
    seen["get nothing"] = code_of(client.get_registered_model, "nothing")
    seen["bad name"] = code_of(client.create_registered_model, "a/b")

    for number in ("1", "2"):
        client.create_model_version("prices", given["source"], description=f"number {number}")
    client.update_model_version("prices", "1", "the first")
    version = client.get_model_version("prices", "1")
    seen["version"] = [version.version, version.status, version.description, version.current_stage]

    client.transition_model_version_stage("prices", "1", "production")
    client.transition_model_version_stage("prices", "2", "Production", archive_existing_versions=True)
    found = client.search_model_versions("name = 'prices'")
    seen["stages"] = {version.version: version.current_stage for version in found}
    seen["models found"] = [model.name for model in client.search_registered_models("name = 'prices'")]

    seen["delete in Production"] = code_of(client.delete_model_version, "prices", "2")
    client.delete_model_version("prices", "1")
    seen["get deleted"] = code_of(client.get_model_version, "prices", "1")
    client.transition_model_version_stage("prices", "2", "None")
    client.delete_registered_model("prices")
    seen["get deleted model"] = code_of(client.get_registered_model, "prices")
    print(json.dumps(seen))


main()
