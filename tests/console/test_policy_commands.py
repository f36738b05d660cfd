"""`modelyard policy` against a server, on both databases."""

import json

import pytest

TIDY = ("policy", "create", "tidy", "--action", "archive", "--idle-days", "90", "--keep-newest", "5")
WEEKLY = ("--cron", "0 4 * * 1")


def test_a_policy_is_entered_shown_and_listed(served):
    said = served.run(*TIDY, *WEEKLY, "--models", "fraud-*", "--tag", "team=a", "--time-zone", "Europe/Berlin")

    lines = said.out.splitlines()
    assert lines[0] == "tidy: Archive None versions of fraud-* tagged team=a idle 90 days, keep newest 5."
    assert lines[1].startswith("Runs by cron '0 4 * * 1' Europe/Berlin, next at 2")
    assert lines[2] == "Mode propose; beyond 500 versions or 20 % it stops and asks."
    assert served.run("policy", "show", "tidy").out == said.out
    rows = [" ".join(row.split()) for row in served.run("policy", "list").out.splitlines()]
    assert rows[:3] == [
        "NAME RULE MODE NEXT LAST VERSIONS",
        "archive-idle Archive None versions idle 90 days, keep newest 5 propose paused",
        "delete-archived Delete Archived versions archived 365 days ago propose paused",
    ]


def test_a_policy_is_paused_resumed_and_changed(served):
    served.run(*TIDY, *WEEKLY, "--paused")

    assert "paused" in served.run("policy", "show", "tidy").out
    assert ", next at 2" in served.run("policy", "resume", "tidy").out
    changed = served.run("policy", "set", "tidy", "--every", "60", "--moved-days", "7", "--mode", "apply").out
    assert "registered 90 days ago and moved 7 days ago and downloaded 90 days ago" in changed
    assert "Runs by every 60 s, next at 2" in changed
    assert "Mode apply" in changed
    assert ", paused." in served.run("policy", "pause", "tidy").out


def test_a_policy_is_planned_and_run(served):
    served.yard.ready()
    served.run("policy", "create", "all", "--action", "archive", "--all", "--max-percent", "100", *WEEKLY)

    said = served.run("policy", "plan", "all", "--no-wait")
    served.yard.work()

    assert said.out.startswith("Job ")
    listed = served.run("policy", "history", "all").out.splitlines()
    assert listed[1].split()[-5:] == ["archive", "1", "12", "bytes", "READY"]
    shown = served.run("policy", "show", "all").out
    assert "Waits for approval: execute the plan if it is right." in shown
    served.run("policy", "set", "all", "--mode", "apply")
    served.run("policy", "run", "all", "--no-wait")
    served.yard.work()
    assert served.yard.version()["current_stage"] == "Archived"
    assert [plan["status"] for plan in json.loads(served.run("policy", "history", "all", "--json").out)["plans"]] == [
        "EXECUTED",
        "READY",
    ]


@pytest.mark.parametrize("words", [["list"], ["show", "archive-idle"], ["pause", "archive-idle"]])
def test_json_is_the_servers_answer(served, words):
    document = json.loads(served.run("policy", *words, "--json").out)

    policies = served.yard.call("GET", "/api/v1/policies")["policies"]
    assert document.get("policy", document.get("policies")) in [policies, *policies]


REFUSED = [
    (["create", "x", "--action", "archive", *WEEKLY], "say all: true"),
    (["create", "x", "--action", "archive", "--all"], "Say when the policy runs"),
    (["create", "x", "--action", "archive", "--all", "--cron", "nightly"], "no cron line"),
    (["create", "x", "--action", "archive", "--tag", "team", *WEEKLY], "write KEY=VALUE"),
    (["create", "x", "--action", "archive", "--all", "--max-percent", "0", *WEEKLY], "Invalid max_percent 0"),
    (["set", "archive-idle"], "Nothing to change"),
    (["run", "nightly"], "There is no policy 'nightly'"),
    (["history", "nightly"], "There is no policy 'nightly'"),
]


def test_what_cannot_be_done_is_one_line_and_status_2(served):
    for words, told in REFUSED:
        said = served.run("policy", *words)

        assert (said.status, said.out) == (2, ""), words
        assert told in said.err
        assert said.err.count("\n") == 1
