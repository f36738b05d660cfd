"""docs/reference/ui.md: what the page "Manage models" promises of its screens, and which test holds each promise.

`python -m tests.ui.reference` writes it anew; a test compares.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "ui.md"
PROMISES = {
    "S-01": "The sidebar's Models entry shows every registered model that one may read",
    "S-02": "The search box filters the list by a part of a name; clearing restores it",
    "S-03": "Create Model: a name makes an empty model; a taken name is refused beside the field",
    "S-04": "Among a run's artifacts, Register Model stands at the far right of a folder that holds a model",
    "S-05": "Create New Model reveals Model Name; a model that is there hides it",
    "S-06": "Register makes the model, copies to a managed place, makes a version",
    "S-07": "An empty model can be chosen; it gets Version 1, then Version 2",
    "S-08": "The button becomes a link to the new version, or says why it failed",
    "S-09": "The link opens the version page; the back button returns",
    "S-10": "The Stage button shows the stages and one's own options",
    "S-11": "The comment of a transition is optional",
    "S-12": "Several versions may share a stage",
    "S-13": "Transition existing Production model versions to Archived, in the same step",
    "S-14": "A user without permission can only request",
    "S-15": "The request appears in Pending requests on the version page",
    "S-16": "Approve and Reject by whoever may move the version",
    "S-17": "The creator can cancel, and nobody else without permission",
    "S-18": "The Description icon opens an edit window; Save; Esc cancels",
    "S-19": "The Description column has at most 32 characters or one line",
    "S-20": "Renaming is for the API alone; the old address leads on",
    "S-21": "A version is deleted by the menu beside its number",
    "S-22": "A model is deleted by the menu beside it, on its page and in its row",
    "S-23": "A warning says what goes; a model's name must be typed",
    "S-24": "Only versions in None or Archived can be deleted",
    "S-25": "Deleting a model removes its artifacts and metadata",
    "S-26": "Lineage: which run made a version",
    "S-27": "status and status_message of a version are shown",
    "S-28": "Archived versions offer Delete and are not active",
}
_NAME = re.compile(r"_s(\d\d)(?=_)")


def rows_with_tests() -> dict[str, list[str]]:
    """Return row -> the tests that are named after it, as `file::test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for number in _NAME.findall(node.name.removeprefix("test")):
                    found[f"S-{number}"].append(f"{path.name}::{node.name}")
    return found


def written() -> str:
    """Return the page."""
    tests = rows_with_tests()
    rows = [
        f"| {row} | {promise} | {', '.join(f'`{name}`' for name in tests.get(row, [])) or 'none'} |"
        for row, promise in PROMISES.items()
    ]
    return _HEAD + "\n".join(rows) + "\n" + _REST


_HEAD = """# The pages, and what holds each promise

Written by `python -m tests.ui.reference`; a test compares. Each row is a promise of the document that users of the old
registry know ("Manage models"); each test drives a real Chromium against a running `modelyard up`
(`make test-browser`).

![The page of a version](../images/version-light.webp)

| Row | Promise | Tests in `tests/ui` |
|---|---|---|
"""
_REST = """
## What else is held

| What | Test |
|---|---|
| axe-core finds nothing on any page or dialog, in light and dark, at 1440 and 390 pixels | `test_access.py` |
| Promotion and approval with the keyboard alone | `test_stages.py`, `test_approvals.py` |
| A copy's progress, live, to READY without a reload | `test_describing.py` |
| No request to another host, no violation of the policy, no error in the console, in every test | `conftest.py` |
| Hostile names, texts, files and addresses; forms without their token; expired sessions | `tests/web/ui` |
| What a first visit loads: at most 100 KB and 10 requests | `tests/web/ui/test_pages.py` |

## Signing in

With `MODELYARD_AUTH=token` a browser signs in with a token, or by the address that `modelyard login-link NAME` prints:
it works once, within ten minutes. `modelyard up` prints one for the administrator when it is started in a terminal. A
session lasts twelve hours at most, stands among its owner's tokens, and ends when it is revoked there, when the token
that began it ends, or by signing out, here or everywhere. Cookies open pages and never the API.

## Keys

`/` search, `g m` models, `g j` jobs, `g a` approvals, `?` this list. Settings switch them off.
"""

if __name__ == "__main__":
    PAGE.write_text(written())
