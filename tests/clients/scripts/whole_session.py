"""What a team does with its registry, by mlflow 1.30, 2.22 or 3: from the first version to the deleted model.

Standard input: JSON with `name` of the model, `tracking_uri`, `registry_uri` and `artifacts`, the folder of the
experiment's files, which is deleted.
Standard output: JSON, step -> what the client made of the answers. A step that this release's client cannot do at
all is left out; one that it refuses by itself, or the server refuses, shows the error's code.
"""

import hashlib
import json
import shutil
import sys
import warnings
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

# Stages are deprecated at MLflow; they are what this registry is for.
warnings.simplefilter("ignore", FutureWarning)

GIVEN = json.load(sys.stdin)
NAME, NEW_NAME = GIVEN["name"], f"new {GIVEN['name']}"


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * number for number in model_input]


def code_of(call, *arguments, **options):
    """The code of the error that a call ends with, "" for none."""
    try:
        call(*arguments, **options)
    except MlflowException as error:
        return error.error_code
    return ""


def files_below(folder):
    """Path -> digest; `registered_model_meta` is the client's own note on what it downloaded."""
    paths = [
        path for path in sorted(Path(folder).rglob("*")) if path.is_file() and path.name != "registered_model_meta"
    ]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def name_and_describe(client, seen):
    client.create_registered_model(NAME, tags={"team": "homes", "tier": "gold"}, description="first words")
    client.update_registered_model(NAME, "better words")
    model = client.get_registered_model(NAME)
    seen["model"] = [model.name == NAME, model.description, model.tags]
    seen["create again"] = code_of(client.create_registered_model, NAME)
    seen["get nothing"] = code_of(client.get_registered_model, "nothing")
    seen["bad name"] = code_of(client.create_registered_model, "a/b")


def register(client, seen):
    """Two versions from one run, each as its release's users do it; the sources are gone afterwards."""
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("session", GIVEN["artifacts"]))
    place = "name" if mlflow.__version__.startswith("3") else "artifact_path"
    model = {"python_model": Doubler(), "pip_requirements": ["mlflow"]}
    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model(**{place: "logged"}, registered_model_name=NAME, **model)
        mlflow.pyfunc.save_model("saved", **model)
        mlflow.log_artifacts("saved", "files")
        mlflow.register_model(f"runs:/{run.info.run_id}/files", NAME)
    saved = files_below("saved")
    shutil.rmtree(GIVEN["artifacts"])
    shutil.rmtree("saved")

    client.update_model_version(NAME, "1", "the first")
    for number in ("1", "2"):
        version = client.get_model_version(NAME, number)
        seen[f"version {number}"] = [version.version, version.status, version.description, version.current_stage]
    seen["run of version 2"] = client.get_model_version(NAME, "2").run_id == run.info.run_id
    return saved


def tag(client, seen):
    client.set_registered_model_tag(NAME, "reviewed by", "Ann & Bo")
    client.delete_registered_model_tag(NAME, "tier")
    client.set_model_version_tag(NAME, "1", "passed", "no")
    client.set_model_version_tag(NAME, "2", "passed", True)
    client.set_model_version_tag(NAME, "2", "rows", 5000)
    client.delete_model_version_tag(NAME, "2", "rows")
    client.delete_model_version_tag(NAME, "2", "never there")
    seen["tags of the model"] = client.get_registered_model(NAME).tags
    seen["tags of version 2"] = client.get_model_version(NAME, "2").tags


def promote(client, seen):
    client.transition_model_version_stage(NAME, "1", "production")
    client.transition_model_version_stage(NAME, "2", "Production", archive_existing_versions=True)
    latest = client.get_latest_versions(NAME)
    seen["latest"] = {version.current_stage: version.version for version in latest}
    seen["latest in Production"] = [version.version for version in client.get_latest_versions(NAME, ["Production"])]
    seen["no such stage"] = code_of(client.transition_model_version_stage, NAME, "1", "Limbo")


def search(client, seen):
    found = client.search_model_versions(f"name='{NAME}'")
    seen["versions found"] = sorted([version.version, version.current_stage] for version in found)
    run_id = client.get_model_version(NAME, "2").run_id
    seen["versions of the run"] = "2" in [found.version for found in client.search_model_versions(f"run_id='{run_id}'")]
    seen["models found"] = [model.name == NAME for model in client.search_registered_models(f"name LIKE '{NAME}%'")]
    found = client.search_registered_models(f"tags.team = 'homes' AND name ILIKE '{NAME.upper()}'")
    seen["models tagged"] = [model.name == NAME for model in found]
    seen["models found by nobody's name"] = list(client.search_registered_models("name = 'nobody'"))
    seen["bad filter"] = code_of(client.search_registered_models, "stage ~ 'Production'")
    if hasattr(client, "list_registered_models"):
        seen["models listed"] = NAME in [model.name for model in client.list_registered_models()]


def load(client, saved, seen):
    downloads = Path("downloaded")
    downloads.mkdir()
    mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{NAME}/2", dst_path=str(downloads))
    seen["every file came back"] = files_below(downloads) == saved
    for place in ("1", "2", "production", "latest"):
        seen[f"predicted by {place}"] = mlflow.pyfunc.load_model(f"models:/{NAME}/{place}").predict([1, 2])


def use_aliases(client, seen):
    """Aliases came with mlflow 2.3."""
    if not hasattr(client, "set_registered_model_alias"):
        return
    refused = code_of(client.set_registered_model_alias, NAME, "champion", "1")
    if refused:
        seen["alias"] = refused
        return
    client.set_registered_model_alias(NAME, "champion", "2")
    client.set_registered_model_alias(NAME, "Challenger-1", "1")
    seen["alias"] = client.get_model_version_by_alias(NAME, "champion").version
    seen["predicted by the alias"] = mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict([3])
    seen["aliases of version 2"] = list(client.get_model_version(NAME, "2").aliases)
    client.delete_registered_model_alias(NAME, "champion")
    seen["aliases of the model"] = dict(client.get_registered_model(NAME).aliases)
    seen["alias deleted"] = code_of(client.get_model_version_by_alias, NAME, "champion")


def rename(client, seen):
    seen["rename in Production"] = code_of(client.rename_registered_model, NAME, NEW_NAME)
    client.transition_model_version_stage(NAME, "2", "Archived")
    client.rename_registered_model(NAME, NEW_NAME)
    seen["old name"] = code_of(client.get_registered_model, NAME)
    seen["predicted under the new name"] = mlflow.pyfunc.load_model(f"models:/{NEW_NAME}/2").predict([4])


def delete(client, seen):
    client.transition_model_version_stage(NEW_NAME, "2", "Staging")
    seen["delete in Staging"] = code_of(client.delete_model_version, NEW_NAME, "2")
    seen["delete the model of it"] = code_of(client.delete_registered_model, NEW_NAME)
    client.delete_model_version(NEW_NAME, "1")
    seen["get deleted"] = code_of(client.get_model_version, NEW_NAME, "1")
    client.transition_model_version_stage(NEW_NAME, "2", "None")
    client.delete_registered_model(NEW_NAME)
    seen["get deleted model"] = code_of(client.get_registered_model, NEW_NAME)
    seen["what is left"] = list(client.search_model_versions(f"name = '{NEW_NAME}'"))


def main() -> None:
    mlflow.set_tracking_uri(GIVEN["tracking_uri"])
    mlflow.set_registry_uri(GIVEN["registry_uri"])
    client, seen = MlflowClient(), {}
    name_and_describe(client, seen)
    saved = register(client, seen)
    tag(client, seen)
    promote(client, seen)
    search(client, seen)
    load(client, saved, seen)
    use_aliases(client, seen)
    rename(client, seen)
    delete(client, seen)
    print(json.dumps(seen))


main()
