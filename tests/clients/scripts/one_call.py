"""Ask the registry for a model and report the error that the client raises.

Standard input: JSON with `registry_uri`. Standard output: JSON with `error_code` and `message`, empty for an answer.
"""

import json
import sys

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def main() -> None:
    registry_uri = json.load(sys.stdin)["registry_uri"]
    answer = {"error_code": "", "message": ""}
    try:
        MlflowClient(tracking_uri="sqlite:///mlflow.db", registry_uri=registry_uri).search_registered_models()
    except MlflowException as error:
        answer = {"error_code": error.error_code, "message": str(error)}
    print(json.dumps(answer))


main()
