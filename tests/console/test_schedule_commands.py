"""`modelyard schedule` against a server, on both databases."""

import json

import pytest


def test_the_schedules_are_listed(served):
    said = served.run("schedule", "list")

    heading, *rows = said.out.splitlines()
    assert heading.split() == ["NAME", "KIND", "RULE", "ENABLED", "NEXT", "LAST", "SLOT", "LAST", "JOB"]
    names = ["collect", "note_expiring_tokens", "policy archive-idle", "policy delete-archived"]
    names += ["prune_audit", "prune_jobs", "verify_store"]
    assert [row.startswith(name) for row, name in zip(rows, names, strict=True)] == [True] * 7
    assert " ".join(rows[5].split()).startswith("prune_jobs prune_jobs cron '30 2 * * *' UTC yes")
    assert said.status == 0


def test_a_schedule_is_disabled_and_enabled(served):
    disabled = served.run("schedule", "disable", "prune_jobs")
    assert disabled.out == "prune_jobs: cron '30 2 * * *' UTC, disabled.\n"

    enabled = served.run("schedule", "enable", "prune_jobs")

    assert enabled.out.startswith("prune_jobs: cron '30 2 * * *' UTC, next at 2")


def test_a_schedule_is_given_another_rule(served):
    served.run("schedule", "set", "prune_jobs", "--cron", "0 4 * * SUN", "--time-zone", "Europe/Berlin")
    assert "cron '0 4 * * SUN' Europe/Berlin" in served.run("schedule", "list").out

    said = served.run("schedule", "set", "prune_jobs", "--every", "3600")

    assert said.out.startswith("prune_jobs: every 3600 s, next at 2")


@pytest.mark.parametrize("words", [["list"], ["disable", "prune_jobs"], ["set", "prune_jobs", "--every", "60"]])
def test_json_is_the_servers_answer(served, words):
    document = json.loads(served.run("schedule", *words, "--json").out)

    schedules = served.yard.call("GET", "/api/v1/schedules")["schedules"]
    assert document.get("schedule", document.get("schedules")) in [schedules, *schedules]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["set", "prune_jobs", "--cron", "nightly"], "expression 'nightly' is no cron line"),
        (["set", "prune_jobs", "--every", "1"], "expected whole seconds from 10"),
        (["set", "prune_jobs", "--time-zone", "Berlin"], "such as 'Europe/Berlin'"),
        (["set", "prune_jobs"], "Say what to change"),
        (["set", "prune_jobs", "--every", "60", "--cron", "* * * * *"], "give --cron or --every"),
        (["disable", "a/b"], "'a/b' is no name; names hold no slash"),
        (["enable", "weekly"], "There is no schedule 'weekly'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(served, words, told):
    said = served.run("schedule", *words)

    assert (said.status, said.out) == (2, "")
    assert told in said.err
    assert said.err.count("\n") == 1
