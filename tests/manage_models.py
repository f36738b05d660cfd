"""The page docs/reference/manage-models.md: what Databricks' page says, each with the tests that show it here.

Tests name a line by the mark `shows`. `python -m tests.manage_models` prints the page.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reference" / "manage-models.md"

_HEAD = """\
# What Databricks' page promises

"Manage models" describes the workflow that Modelyard brings back. These are its sentences, in its order, each with the
tests that show it on SQLite and on PostgreSQL. Made by `python -m tests.manage_models` from marks that the tests carry.
"""


@dataclass(frozen=True)
class Line:
    """A sentence of the page, and what is to be said about it here. One without a key is for people and has no test."""

    key: str
    text: str
    remark: str = ""


_PAGES = "Tests below `ui/` run in a browser: `make test-browser`."

SECTIONS: Mapping[str, list[Line]] = {
    "Create or register a model": [
        Line("copied", "All methods copy the model into a secure location managed by the MLflow Model Registry."),
        Line(
            "creates-model",
            "If a registered model with the name doesn't exist, the method registers a new model, creates Version 1, "
            "and returns a ModelVersion MLflow object.",
        ),
        Line(
            "adds-version",
            "If a registered model with the name exists already, the method creates a new model version and returns "
            "the version object.",
        ),
        Line("taken", "If the model name exists, this method throws an MlflowException."),
    ],
    "Transition a model stage": [
        Line(
            "four-stages",
            "A model version has one of the following stages: None, Staging, Production, or Archived.",
        ),
        Line(
            "",
            "The Staging stage is meant for model testing and validating, while the Production stage is for model "
            "versions that have completed the testing or review processes and have been deployed to applications for "
            "live scoring.",
            "What the words mean to people; nothing has to be done for it.",
        ),
        Line(
            "archived-is-inactive",
            "An Archived model version is assumed to be inactive, at which point you can consider deleting it.",
        ),
        Line("different-stages", "Different versions of a model can be in different stages."),
        Line(
            "permission-moves",
            "A user with appropriate permission can transition a model version between stages.",
        ),
        Line(
            "directly",
            "If you have permission to transition a model version to a particular stage, you can make the transition "
            "directly.",
        ),
        Line(
            "or-request",
            "If you do not have permission, you can request a stage transition and a user that has permission to "
            "transition model versions can approve, reject, or cancel the request.",
        ),
    ],
    "Transition a model stage using the UI": [
        Line(
            "available-options",
            "To display the list of available model stages and your available options, in a model version page, click "
            "the Stage button and request or select a transition to another stage.",
            _PAGES,
        ),
        Line("optional-comment", "Enter an optional comment and click OK.", _PAGES),
    ],
    "Transition a model version to the Production stage": [
        Line(
            "to-production",
            "After testing and validation, you can transition or request a transition to the Production stage.",
        ),
        Line(
            "more-than-one",
            "Model Registry allows more than one version of the registered model in each stage.",
        ),
        Line(
            "only-one",
            "If you want to have only one version in Production, you can transition all versions of the model "
            "currently in Production to Archived by checking Transition existing Production model versions to "
            "Archived.",
        ),
    ],
    "Approve, reject, or cancel a model version stage transition request": [
        Line("may-request", "A user without stage transition permission can request a stage transition."),
        Line("pending", "The request appears in the Pending Requests section in the model version page.", _PAGES),
        Line(
            "approve",
            "To approve […] a stage transition request, click the Approve […] link.",
            "An approval answers everybody who asked for the same stage.",
        ),
        Line("reject", "To […] reject […] a stage transition request, click the […] Reject […] link."),
        Line("cancel", "To […] cancel a stage transition request, click the […] Cancel link."),
        Line("creator-cancels", "The creator of a transition request can also cancel the request."),
    ],
    "Transition a model stage using the API": [
        Line(
            "api-permission",
            "Users with appropriate permissions can transition a model version to a new stage.",
        ),
        Line(
            "api-method",
            "To update a model version stage to a new stage, use the MLflow Client API "
            "transition_model_version_stage() method.",
            "Its argument `description` is gone from mlflow; databricks-sdk has `comment`.",
        ),
        Line(
            "any-case",
            'The accepted values for <stage> are: "Staging"|"staging", "Archived"|"archived", '
            '"Production"|"production", "None"|"none".',
            "Any other mixture of cases is accepted, too.",
        ),
    ],
    "Annotate a model or model version": [
        Line("annotate", "You can provide information about a model or model version by annotating it."),
    ],
    "Rename a model": [
        Line("rename", "To rename a registered model, use the MLflow Client API rename_registered_model() method."),
        Line(
            "rename-unused",
            "You can rename a registered model only if it has no versions, or all versions are in the None or "
            "Archived stage.",
        ),
    ],
    "Search for a model": [
        Line("list-all", "To retrieve a list of all registered models, use the MLflow Client API."),
        Line(
            "search-versions",
            "You can also search for a specific model name and list its version details using MLflow Client API "
            "search_model_versions() method.",
        ),
    ],
    "Delete a model or model version": [
        Line(
            "undo",
            "You cannot undo this action.",
            "Here you can, for `MODELYARD_TRASH_DAYS`; with 0 it is as the page says.",
        ),
        Line(
            "archive-instead",
            "You can transition a model version to the Archived stage rather than deleting it from the registry.",
        ),
        Line(
            "all-goes",
            "When you delete a model, all model artifacts stored by the Model Registry and all the metadata "
            "associated with the registered model are deleted.",
            "When it is purged. Bytes that others hold too stay; the audit log stays.",
        ),
        Line("delete-unused", "You can only delete models and model versions in the None or Archived stage."),
        Line(
            "move-first",
            "If a registered model has versions in the Staging or Production stage, you must transition them to "
            "either the None or Archived stage before deleting the model.",
        ),
    ],
}


def lines() -> list[Line]:
    """Return every line, in the order of the page."""
    return [line for section in SECTIONS.values() for line in section]


def shown() -> dict[str, list[str]]:
    """Return key of a line -> the tests that show it, as `file::name` below `tests`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text()
        if "mark.shows(" in text:
            for name, key in _marks(ast.parse(text)):
                found[key].append(f"{path.relative_to(TESTS)}::{name}")
    return dict(found)


def page() -> str:
    """Return the page as Markdown."""
    tests = shown()
    text = _HEAD
    for heading, section in SECTIONS.items():
        text += f"\n## {heading}\n\n| the page says | shown by | here |\n|---|---|---|\n"
        for line in section:
            said = line.text.replace("|", "\\|").replace("<", "&lt;")
            text += f"| {said} | {', '.join(f'`{test}`' for test in tests.get(line.key, []))} | {line.remark} |\n"
    return text


def _marks(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (name of a test, key) for each mark `shows`."""
    for node in tree.body:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.shows":
                for argument in decorator.args:
                    yield node.name, ast.literal_eval(argument)


if __name__ == "__main__":
    print(page(), end="")
