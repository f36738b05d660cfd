"""A user's session with mlflow 3: log and register models in three ways, lose the sources, load and predict.

Standard input: JSON with `tracking_uri`, `registry_uri` and `artifacts`, the folder of the tracking store's files.
Standard output: JSON, name of the registered model -> its version's status, and the prediction for 1 and 2.
"""

import json
import shutil
import sys

import mlflow
from mlflow import MlflowClient


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * number for number in model_input]


def main() -> None:
    given = json.load(sys.stdin)
    mlflow.set_tracking_uri(given["tracking_uri"])
    mlflow.set_registry_uri(given["registry_uri"])
    model = {"python_model": Doubler(), "pip_requirements": ["mlflow"]}

    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model(name="logged", registered_model_name="by-log-model", **model)
        mlflow.register_model(f"runs:/{run.info.run_id}/logged", "by-run")
        # As mlflow 2 did: the files belong to the run, there is no logged model.
        mlflow.pyfunc.save_model("saved", **model)
        mlflow.log_artifacts("saved", "files")
        mlflow.register_model(f"runs:/{run.info.run_id}/files", "by-artifacts")
    shutil.rmtree(given["artifacts"])
    shutil.rmtree("saved")

    answer = {}
    for name in ("by-log-model", "by-run", "by-artifacts"):
        status = MlflowClient().get_model_version(name, "1").status
        answer[name] = [status, mlflow.pyfunc.load_model(f"models:/{name}/1").predict([1, 2])]
    print(json.dumps(answer))


main()
