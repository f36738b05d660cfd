"""Prompts, which mlflow 2.21 and later keep as registered models of a special kind.

Standard input: JSON with `registry_uri`. Standard output: JSON, step -> what the client made of the answers.
"""

import json
import sys
import warnings
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

warnings.simplefilter("ignore", FutureWarning)
# Where the functions are: mlflow 3 moved them.
prompts = mlflow.genai if mlflow.__version__.startswith("3") else mlflow


def main() -> None:
    mlflow.set_tracking_uri(Path("runs").resolve().as_uri() if prompts is mlflow else "sqlite:///mlflow.db")
    mlflow.set_registry_uri(json.load(sys.stdin)["registry_uri"])
    client, seen = MlflowClient(), {}

    first = prompts.register_prompt("greeting", "Hello {{name}}.", commit_message="first", tags={"tone": "kind"})
    prompts.register_prompt("greeting", "Good morning, {{name}}!", commit_message="second")
    prompts.set_prompt_alias("greeting", "live", 2)
    seen["registered"] = [first.name, str(first.version)]
    seen["first"] = prompts.load_prompt("prompts:/greeting/1").template
    seen["live"] = prompts.load_prompt("prompts:/greeting@live").format(name="Ann")
    prompts.delete_prompt_alias("greeting", "live")

    client.create_registered_model("model")
    seen["models"] = [model.name for model in client.search_registered_models()]
    if hasattr(prompts, "search_prompts"):
        seen["prompts"] = [prompt.name for prompt in prompts.search_prompts()]
    try:
        client.create_registered_model("greeting")
    except MlflowException as error:
        seen["model of a prompt's name"] = error.error_code
    try:
        prompts.register_prompt("model", "Hello.")
    except MlflowException as error:
        seen["prompt of a model's name"] = error.error_code
    print(json.dumps(seen))


main()
