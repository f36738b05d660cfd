"""The calls of the page that defines the workflow, by an unchanged mlflow 3, between what people do in a browser.

Standard input: JSON with `step` and what the step needs, always with `tracking_uri` and `registry_uri`.
Standard output: JSON, what the client made of the answers.
"""

import json
import sys
import warnings

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

# Stages are deprecated at MLflow; they are what this registry is for.
warnings.simplefilter("ignore", FutureWarning)

GIVEN = json.load(sys.stdin)
EXPERIMENT = "power"


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * number for number in model_input]


MODEL = {"python_model": Doubler(), "pip_requirements": ["mlflow"]}


def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except MlflowException as error:
        return error.error_code
    return ""


def log():
    """Two runs, each with a parameter, a metric, a tag and a folder that is a model; nothing is registered."""
    mlflow.set_experiment(EXPERIMENT)
    mlflow.pyfunc.save_model("saved", **MODEL)
    runs = []
    for number, name in enumerate(("first-run", "second-run"), 1):
        with mlflow.start_run(run_name=name) as run:
            mlflow.log_param("trees", 100 * number)
            mlflow.log_metric("rmse", 0.5 / number)
            mlflow.set_tag("data", "wind")
            mlflow.log_artifacts("saved", "power-model")
            runs.append(run.info.run_id)
    return runs


def register():
    """The three ways to register by the API, the first two also where the model is there already."""
    mlflow.set_experiment(EXPERIMENT)
    made = []
    for _ in range(2):
        with mlflow.start_run(run_name="by-the-api") as run:
            mlflow.pyfunc.log_model(name="model", registered_model_name=GIVEN["logged"], **MODEL)
    for _ in range(2):
        version = mlflow.register_model(f"runs:/{run.info.run_id}/model", GIVEN["registered"])
        made.append([version.name, int(version.version), version.status])
    client = MlflowClient()
    created = client.create_registered_model(GIVEN["created"]).name
    logged = [[mv.name, int(mv.version), mv.status] for mv in client.search_model_versions(f"name='{GIVEN['logged']}'")]
    return {
        "logged": sorted(logged),
        "registered": made,
        "created": created,
        "created again": refused(client.create_registered_model, GIVEN["created"]),
    }


def manage():
    """Stages in both spellings, renaming, lists, and deleting: what is refused, and what is done."""
    client, name = MlflowClient(), GIVEN["logged"]
    stages = [
        client.transition_model_version_stage(name=name, version=1, stage=stage).current_stage
        for stage in ("Staging", "staging", "Production", "production", "Archived", "archived", "None", "none")
    ]
    client.transition_model_version_stage(name=name, version=1, stage="Staging")
    in_use = [
        refused(client.rename_registered_model, name, GIVEN["renamed"]),
        refused(client.delete_model_version, name, "1"),
        refused(client.delete_registered_model, name),
    ]
    client.transition_model_version_stage(name=name, version=1, stage="Archived")
    client.rename_registered_model(name, GIVEN["renamed"])
    renamed = client.get_registered_model(GIVEN["renamed"]).name
    listed = [model.name for model in client.search_registered_models()]
    versions = sorted(int(mv.version) for mv in client.search_model_versions(f"name='{renamed}'"))
    shown = client.get_model_version(renamed, "1")
    predicted = mlflow.pyfunc.load_model(f"models:/{renamed}/1").predict([1, 2])
    client.delete_model_version(renamed, "1")
    left = [int(mv.version) for mv in client.search_model_versions(f"name='{renamed}'")]
    client.delete_registered_model(renamed)
    return {
        "stages": stages,
        "in use": in_use,
        "renamed": renamed,
        "listed": listed,
        "versions": versions,
        "run known": bool(shown.run_id),
        "predicted": predicted,
        "left": left,
        "gone": refused(client.get_registered_model, renamed),
    }


def main():
    mlflow.set_tracking_uri(GIVEN["tracking_uri"])
    mlflow.set_registry_uri(GIVEN["registry_uri"])
    print(json.dumps({"log": log, "register": register, "manage": manage}[GIVEN["step"]]()))


main()
