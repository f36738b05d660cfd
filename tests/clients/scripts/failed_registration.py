"""Register a source that cannot become READY and report what the user is told.

Standard input: JSON with `registry_uri` and `source`. Standard output: JSON with `raised` and `status_message`.
"""

import json
import sys

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def main() -> None:
    given = json.load(sys.stdin)
    client = MlflowClient(tracking_uri=given["registry_uri"])
    client.create_registered_model("broken")
    raised = ""
    try:
        client.create_model_version("broken", given["source"])
    except MlflowException as error:
        raised = str(error)
    version = client.get_model_version("broken", "1")
    print(json.dumps({"raised": raised, "status": version.status, "status_message": version.status_message}))


main()
