"""`modelyard bulk`, `plan` and `rollback` against a server, on both databases."""

import json
import re

import pytest

PLAN = re.compile(r"modelyard plan execute (\w+) --digest (\w+)")


@pytest.fixture
def shelf(served):
    """Three READY versions of `m`, the third in Production."""
    for stage in (None, None, "Production"):
        served.yard.ready(stage=stage)
    return served


def test_a_plan_is_made_shown_and_executed(shelf):
    said = shelf.run("bulk", "archive", "--filter", "name = 'm'")

    lines = said.out.splitlines()
    assert lines[0].endswith("(READY): archive 2 versions, 24 bytes; keep 1.")
    assert [" ".join(line.split()) for line in lines[2:]] == [
        "VERSION SIZE ACTION OUTCOME WHY",
        "m/1 12 bytes archive",
        "m/2 12 bytes archive",
        "m/3 12 bytes keep It is in Staging or Production.",
    ]
    plan, digest = PLAN.search(said.out).groups()

    executed = shelf.run("plan", "execute", plan, "--digest", digest, "--no-wait")
    shelf.yard.work()

    assert re.match(r"Job \d+ is QUEUED", executed.out)
    shown = shelf.run("plan", "show", plan, "--touched", "--outcome", "done").out.splitlines()
    assert shown[1] == "2 done, 0 skipped, 0 failed."
    assert [line.split()[:1] for line in shown[3:]] == [["m/1"], ["m/2"]]
    listed = shelf.run("plan", "list").out.splitlines()
    assert listed[1].split()[0] == plan
    assert listed[1].split()[-4:] == ["EXECUTED", "2", "0", "0"]
    assert json.loads(shelf.run("plan", "show", plan, "--json").out)["plan"]["id"] == plan


def test_what_is_sure_is_done_at_once(shelf):
    said = shelf.run("bulk", "tag", "modelyard.keep", "true", "m/1", "m/2", "--yes", "--no-wait")
    shelf.yard.work()

    assert said.status == 0
    assert [line.split()[2] for line in shelf.run("bulk", "delete", "--all").out.splitlines() if "m/" in line] == [
        "bytes"
    ] * 3
    assert shelf.run("bulk", "delete", "--all").out.count("pinned by the tag modelyard.keep") == 2


def test_every_action_plans_what_is_meant(shelf):
    for action in ("archive", "delete", "restore", "verify"):
        said = shelf.run("bulk", action, "--all")

        assert (said.status, f": {action} " in said.out) == (0, True)


def test_a_roll_back_is_shown_and_done(shelf):
    shelf.yard.ready()
    body = {"name": "m", "version": "4", "stage": "Production", "archive_existing_versions": True}
    shelf.yard.call("POST", "model-versions/transition-stage", body)

    shown = shelf.run("rollback", "m")
    done = shelf.run("rollback", "m", "--yes", "--comment", "Too slow.")

    moves = "m/3: Archived -> Production\nm/4: Production -> None\n"
    assert shown.out == f"{moves}Production would be 3.\nNothing was changed; --yes does it.\n"
    assert done.out == f"{moves}Production is 3.\n"
    assert shelf.yard.version("m", "3")["current_stage"] == "Production"


REFUSED = [
    (["bulk", "archive"], "Say which versions are meant"),
    (["bulk", "archive", "m/1", "--all"], "Say which versions are meant"),
    (["bulk", "archive", "m"], "'m' names no version"),
    (["bulk", "archive", "m/9"], "version=9) not found"),
    (["bulk", "delete", "--filter", "colour = 'red'"], "'colour' cannot be searched"),
    (["plan", "show", "x"], "There is no plan with this id"),
    (["plan", "execute", "x", "--digest", "y"], "There is no plan with this id"),
    (["rollback", "x"], "name=x not found"),
    (["rollback", "m"], "has never had another Production set"),
]


def test_what_cannot_be_done_is_one_line_and_status_2(served):
    served.yard.ready()

    for words, told in REFUSED:
        said = served.run(*words)

        assert (said.status, said.out) == (2, ""), words
        assert told in said.err
        assert said.err.count("\n") == 1
