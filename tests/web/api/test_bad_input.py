"""Bad input, as tables: what breaks each rule of the contract, and that the answer says what was found and expected.

A table is one test, since what is refused changes nothing that the next line could see.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

from tests.web.yards import PREFIX, Yard

INVALID = (400, "INVALID_PARAMETER_VALUE")
EXISTS = (400, "RESOURCE_ALREADY_EXISTS")
STATE = (400, "INVALID_STATE")
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")

MODEL_ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "registered-models/get", {}),
    ("PATCH", "registered-models/update", {}),
    ("POST", "registered-models/rename", {"new_name": "n"}),
    ("DELETE", "registered-models/delete", {}),
    ("POST", "registered-models/get-latest-versions", {}),
    ("GET", "registered-models/get-latest-versions", {}),
    ("POST", "registered-models/set-tag", {"key": "k", "value": "v"}),
    ("DELETE", "registered-models/delete-tag", {"key": "k"}),
    ("GET", "registered-models/alias", {"alias": "a"}),
    ("DELETE", "registered-models/alias", {"alias": "a"}),
    ("POST", "model-versions/create", {"source": "dummy-source"}),
]
VERSION_ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "model-versions/get", {}),
    ("PATCH", "model-versions/update", {}),
    ("DELETE", "model-versions/delete", {}),
    ("POST", "model-versions/transition-stage", {"stage": "Staging"}),
    ("POST", "model-versions/set-tag", {"key": "k", "value": "v"}),
    ("DELETE", "model-versions/delete-tag", {"key": "k"}),
    ("POST", "registered-models/alias", {"alias": "a"}),
    ("GET", "model-versions/get-download-uri", {}),
    ("GET", "model-versions/list-artifacts", {}),
]
EVERY_ROUTE = MODEL_ROUTES + [(method, route, {"version": "1", **more}) for method, route, more in VERSION_ROUTES]


class Case(NamedTuple):
    """A request, and the status, code and part of the message that it must be answered with."""

    method: str
    route: str
    given: dict[str, Any]
    refusal: tuple[int, str]
    text: str


def broken(route: str, refusal: tuple[int, str], rows: Iterable[tuple[dict[str, Any], str]]) -> list[Case]:
    """Return a case for each row: what is given to `route` by POST, and a part of the message."""
    return [Case("POST", route, given, refusal, text) for given, text in rows]


def asked(route: str, rows: Iterable[tuple[dict[str, Any], str]]) -> list[Case]:
    """Return a case for each row: what is asked of `route` by query, and a part of the message."""
    return [Case("GET", route, given, INVALID, text) for given, text in rows]


def not_as_expected(yard: Yard, cases: Iterable[Case]) -> list[tuple[Case, int, Any]]:
    """Return the cases that were answered otherwise, with status and document of their answers."""
    wrong = []
    for case in cases:
        options: dict[str, Any] = {"query_string": case.given} if case.method == "GET" else {"body": case.given}
        answer = yard.send(case.method, case.route, **options)
        document = answer.get_json()
        found = (answer.status_code, document.get("error_code"))
        if found != case.refusal or case.text not in document["message"]:
            wrong.append((case, answer.status_code, document))
    return wrong


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with the model `m`, of which version 1 is a prompt and READY, and the model `taken`."""
    yard = open_yard()
    yard.register("m", source="dummy-source")
    yard.call("POST", "registered-models/create", {"name": "taken"})
    return yard


def test_every_route_asks_for_the_models_name(yard: Yard) -> None:
    text = "Missing value for required parameter 'name'."

    assert (
        not_as_expected(
            yard,
            [
                Case(method, route, {**more, **name}, INVALID, text)
                for method, route, more in EVERY_ROUTE
                for name in ({}, {"name": ""})
            ],
        )
        == []
    )


def test_a_name_that_no_model_bears_is_not_found(yard: Yard) -> None:
    names = ["none", "a b?c#d%25é", "x" * 5000, "'; DROP TABLE registered_models; --", "../m", "%00", "M", "m "]

    assert (
        not_as_expected(
            yard,
            [
                Case(
                    method,
                    route,
                    {**more, "name": name},
                    MISSING,
                    f"Registered Model with name={name[:300]} not found.",
                )
                for method, route, more in EVERY_ROUTE
                for name in names
            ],
        )
        == []
    )


def test_a_version_is_a_number_that_exists(yard: Yard) -> None:
    rows: list[tuple[str | None, tuple[int, str], str]] = [
        (None, INVALID, "Missing value for required parameter 'version'"),
        ("", INVALID, "Missing value for required parameter 'version'"),
        ("x", INVALID, "Invalid version 'x'; expected a whole number"),
        ("1.0", INVALID, "Invalid version '1.0'"),
        ("-1", INVALID, "Invalid version '-1'"),
        (" 1", INVALID, "Invalid version ' 1'"),
        ("1" * 23, INVALID, "of at most 18 digits"),
        ("\u0661", INVALID, "Invalid version '\u0661'"),
        ("0", MISSING, "Model Version (name=m, version=0) not found"),
        ("2", MISSING, "Model Version (name=m, version=2) not found"),
        ("9" * 18, MISSING, f"version={'9' * 18}) not found"),
    ]

    assert (
        not_as_expected(
            yard,
            [
                Case(
                    method,
                    route,
                    {"name": "m", **more} | ({"version": version} if version is not None else {}),
                    *expected,
                )
                for method, route, more in VERSION_ROUTES
                for version, *expected in rows
            ],
        )
        == []
    )


NAMES = [
    ("", "Got an invalid name ''. Registered Model names cannot be empty strings."),
    ("  ", "cannot be empty strings"),
    ("a/b", "'a/b': it must not contain '/' or ':'"),
    ("a:b", "'a:b': it must not contain"),
    (".", "'.': it is a step of a path"),
    ("..", "'..': it is a step of a path"),
    ("n" * 257, "257 characters; at most 256"),
    ("n" * 1_000_000, "1000000 characters; at most 256"),
    ("a\0b", "NUL character"),
    (3, "Invalid value 3 for parameter 'name': Input should be a valid string"),
    (True, "Invalid value True"),
    (["m"], "Invalid value ['m']"),
    ({"m": 1}, "Invalid value {'m': 1}"),
]
TAGS = [
    ("k" * 251, "", "251 characters; at most 250"),
    ("a=b", "", "Invalid tag key 'a=b'; it may contain"),
    ("a,b", "", "Invalid tag key 'a,b'"),
    ("/a", "", "Invalid tag key '/a'; written as a path"),
    ("a/../b", "", "it would be 'b'"),
    ("a//b", "", "it would be 'a/b'"),
    (".", "", "Invalid tag key '.'"),
    ("a\0", "", "NUL character"),
    ("k", "v" * 100_001, "value of the tag 'k' has 100001 characters; at most 100000"),
    ("k", "v\0", "NUL character"),
]


def test_a_new_model_keeps_the_rules(yard: Yard) -> None:
    create = "registered-models/create"
    cases = broken(create, INVALID, [({"name": name}, text) for name, text in NAMES])
    cases += broken(create, INVALID, [({}, "Missing value for required parameter 'name'")])
    cases += broken(create, EXISTS, [({"name": "taken"}, "Registered Model (name=taken) already exists.")])
    cases += broken(
        create,
        INVALID,
        [
            ({"name": "n", "description": "é" * 40_000}, "description has 80000 bytes; at most 65535"),
            ({"name": "n", "description": 5}, "Invalid value 5 for parameter 'description'"),
            ({"name": "n", "tags": {"a": "b"}}, "Invalid value {'a': 'b'} for parameter 'tags'"),
            ({"name": "n", "tags": "a=b"}, "Invalid value 'a=b' for parameter 'tags'"),
            ({"name": "n", "tags": [3]}, "Invalid value 3 for parameter 'tags.0'"),
            ({"name": "n", "tags": [{"value": "v"}]}, "a tag needs a name"),
            ({"name": "n", "tags": [{"key": "k", "value": 3}]}, "Invalid value 3 for parameter 'tags.0.value'"),
            ({"name": "n", "tags": [{"key": f"k{n}"} for n in range(1001)]}, "at most 1000"),
            *(({"name": "n", "tags": [{"key": key, "value": value}]}, text) for key, value, text in TAGS),
        ],
    )

    assert not_as_expected(yard, cases) == []
    assert [model["name"] for model in yard.call("GET", "registered-models/list")["registered_models"]] == [
        "m",
        "taken",
    ]


def test_a_model_is_renamed_to_what_a_model_may_be_called(yard: Yard) -> None:
    rename = "registered-models/rename"
    cases = broken(rename, INVALID, [({"name": "m", "new_name": name}, text) for name, text in NAMES if name != ""])
    cases = [case for case in cases if not isinstance(case.given["new_name"], int | list | dict)]
    cases += broken(rename, EXISTS, [({"name": "m", "new_name": "taken"}, "(name=taken) already exists")])
    cases += broken(
        rename,
        INVALID,
        [
            ({"name": "m"}, "Missing value for required parameter 'new_name'"),
            ({"name": "m", "new_name": ""}, "Missing value for required parameter 'new_name'"),
            ({"name": "m", "new_name": 3}, "Invalid value 3 for parameter 'new_name'"),
        ],
    )

    assert not_as_expected(yard, cases) == []


def test_a_new_version_keeps_the_rules(yard: Yard) -> None:
    rows: list[tuple[dict[str, Any], str]] = [
        ({"source": None}, "Missing value for required parameter 'source'"),
        ({"source": ""}, "Missing value for required parameter 'source'"),
        ({"source": 3}, "Invalid value 3 for parameter 'source'"),
        ({"source": "/" + "x" * 2048}, "2049 characters; at most 2048"),
        ({"source": "relative"}, "'relative' is relative. Give an absolute path"),
        ({"source": "/a/../b"}, "holds '..'"),
        ({"source": "/a/%2e%2e/b"}, "holds '..'"),
        ({"source": "/a/%252e%252e/b"}, "holds '..'"),
        ({"source": "/a\0b"}, "NUL"),
        ({"source": "/etc"}, "MODELYARD_SOURCE_ROOTS"),
        ({"source": "s3://bucket/x"}, "MODELYARD_SOURCE_BUCKETS"),
        ({"source": "http://169.254.169.254/latest"}, "http: sources are not enabled"),
        ({"source": "file://host/x"}, "names a host"),
        ({"source": "models:/none/1"}, "Registered Model with name=none not found"),
        ({"source": "models:/m/9"}, "version=9) not found"),
        ({"source": "models:/m/Nowhere"}, "Unknown stage 'Nowhere'; expected one of None, Staging"),
        ({"source": "models:/m@nobody"}, "alias nobody not found"),
        ({"source": "models:/m/1"}, "'m' is a prompt"),
        ({"source": "runs:/"}, "names a run and a folder"),
        ({"source": "models:/m-" + "0" * 32}, "does not know your tracking server"),
        ({"run_id": "r" * 257}, "run_id has 257 characters; at most 256"),
        ({"run_link": "l" * 2049}, "run_link has 2049 characters; at most 2048"),
        ({"model_id": "m" * 257}, "model_id has 257 characters"),
        ({"description": "d" * 65_536}, "65536 bytes; at most 65535"),
        *(({"tags": [{"key": key, "value": value}]}, text) for key, value, text in TAGS),
    ]
    cases = broken(
        "model-versions/create", INVALID, [({"name": "m", "source": "dummy-source", **row}, text) for row, text in rows]
    )
    # A root is configured in a yard, so that logged models are looked for below it.
    cases = [case for case in cases if "m-" + "0" * 32 not in str(case.given["source"])]

    assert not_as_expected(yard, cases) == []
    assert yard.register("m", source="dummy-source")["version"] == "2"


def test_tags_keep_the_rules(yard: Yard) -> None:
    for noun, owner in (("registered-models", {"name": "m"}), ("model-versions", {"name": "m", "version": "1"})):
        rows: list[tuple[dict[str, Any], str]] = [
            ({"value": "v"}, "Missing value for required parameter 'key'"),
            ({"key": "", "value": "v"}, "Missing value for required parameter 'key'"),
            ({"key": 3, "value": "v"}, "Invalid value 3 for parameter 'key'"),
            ({"key": "k", "value": 3}, "Invalid value 3 for parameter 'value'"),
            *(({"key": key, "value": value}, text) for key, value, text in TAGS),
        ]
        cases = broken(f"{noun}/set-tag", INVALID, [({**owner, **row}, text) for row, text in rows])
        cases += [Case("DELETE", f"{noun}/delete-tag", owner, INVALID, "required parameter 'key'")]

        assert not_as_expected(yard, cases) == []


def test_aliases_keep_the_rules(yard: Yard) -> None:
    spelling = "Names may only contain alphanumerics, underscores (_), and dashes (-)."
    rows: list[tuple[dict[str, Any], str]] = [
        ({}, "Missing value for required parameter 'alias'"),
        ({"alias": ""}, "Missing value for required parameter 'alias'"),
        ({"alias": "a b"}, f"Invalid alias name: 'a b'. {spelling}"),
        ({"alias": "a.b"}, f"Invalid alias name: 'a.b'. {spelling}"),
        ({"alias": "x" * 256}, "256 characters; at most 255"),
    ]
    reserved = [("latest", "'latest' is reserved"), ("LATEST", "'LATEST' is reserved"), ("v1", "'v1' is reserved")]
    cases = broken(
        "registered-models/alias",
        INVALID,
        [({"name": "m", "version": "1", **row}, text) for row, text in rows]
        + [({"name": "m", "version": "1", "alias": alias}, text) for alias, text in reserved],
    )
    for method in ("GET", "DELETE"):
        cases += [Case(method, "registered-models/alias", {"name": "m", **row}, INVALID, text) for row, text in rows]
    cases += asked("registered-models/alias", [({"name": "m", "alias": "no"}, "Registered model alias no not found.")])

    assert not_as_expected(yard, cases) == []


def test_transitions_and_deletions_keep_the_rules(yard: Yard) -> None:
    version = {"name": "m", "version": "1"}
    stages = "expected one of None, Staging, Production, Archived"
    cases = broken(
        "model-versions/transition-stage",
        INVALID,
        [
            (version, "Missing value for required parameter 'stage'"),
            ({**version, "stage": "Prod"}, f"Unknown stage 'Prod'; {stages}"),
            ({**version, "stage": "Deleted_Internal"}, f"Unknown stage 'Deleted_Internal'; {stages}"),
            ({**version, "stage": 3}, "Invalid value 3 for parameter 'stage'"),
            ({**version, "stage": "None", "archive_existing_versions": True}, "cannot be used with the stage None"),
            ({**version, "stage": "archived", "archive_existing_versions": "true"}, "with the stage Archived"),
            ({**version, "stage": "Staging", "archive_existing_versions": "yes"}, "Invalid value 'yes'"),
            ({**version, "stage": "Staging", "archive_existing_versions": 1}, "Invalid value 1"),
        ],
    )
    assert not_as_expected(yard, cases) == []

    yard.call("POST", "model-versions/transition-stage", {**version, "stage": "Production"})
    yard.register("m")
    in_use, pending = "Version 1 of 'm' is in Production. Move it to None or Archived", "Version 2 of 'm' is"
    cases = [
        Case("DELETE", "model-versions/delete", version, STATE, in_use),
        Case("DELETE", "model-versions/delete", {"name": "m", "version": "2"}, STATE, f"{pending} being registered"),
        Case("GET", "model-versions/get-download-uri", {"name": "m", "version": "2"}, STATE, f"{pending} PENDING"),
        Case("DELETE", "registered-models/delete", {"name": "m"}, STATE, "(1). Move them to None or Archived before"),
        Case("POST", "registered-models/rename", {"name": "m", "new_name": "n"}, STATE, "before renaming the model"),
    ]
    cases += broken(
        "model-versions/transition-stage",
        STATE,
        [({"name": "m", "version": "2", "stage": "Staging"}, f"{pending} PENDING_REGISTRATION; only a READY version")],
    )
    assert not_as_expected(yard, cases) == []


SEARCHES = ["registered-models/search", "model-versions/search"]


def test_searches_keep_the_rules(yard: Yard) -> None:
    either: list[tuple[dict[str, Any], str]] = [
        ({"filter": "name = m"}, "found 'm' where a value in quotes was expected"),
        ({"filter": "name = 'm' OR name = 'n'"}, "'OR' cannot be searched"),
        ({"filter": "name = 'm' AND"}, "it ends with AND"),
        ({"filter": "(name = 'm')"}, "Invalid filter \"(name = 'm')\""),
        ({"filter": "name = 'm'; DROP TABLE jobs"}, "cannot be read"),
        ({"filter": "name = 'm' -- "}, "'--' cannot be searched"),
        ({"filter": "name IS NULL"}, "'IS' is no operator"),
        ({"filter": "tags.a IN ('b')"}, "tags.a cannot be compared by IN; use ="),
        ({"filter": "tags.a > 'b'"}, "tags.a cannot be compared by >"),
        ({"filter": "description = 'x'"}, "'description' cannot be searched; expected one of name"),
        ({"filter": "name = 'a\0'"}, "NUL"),
        ({"filter": "name = 'a' " * 101}, "101 comparisons; at most 100"),
        ({"filter": f"name IN ({', '.join(['0'.join(chr(39) * 2)] * 1001)})"}, "1001 values; at most 1000"),
        ({"filter": f"name LIKE '{'%' * 1001}'"}, "1001 characters; at most 1000"),
        ({"filter": "tags.mlflow.prompt.is_prompt LIKE 'x'"}, "'true' and 'false' only"),
        ({"max_results": "0"}, "Invalid max_results 0; expected a whole number from 1 to"),
        ({"max_results": "-1"}, "Invalid max_results -1"),
        ({"max_results": "9" * 18}, "Invalid max_results 999999999999999999"),
        ({"max_results": "9" * 40}, "Invalid value '9999"),
        ({"max_results": "ten"}, "Invalid value 'ten' for parameter 'max_results'"),
        ({"max_results": "1.5"}, "Invalid value '1.5'"),
        ({"order_by": "source"}, "Invalid order_by 'source'; expected one of name"),
        ({"order_by": "name UP"}, "Invalid order_by 'name UP'"),
        ({"order_by": "name ASC, name DESC"}, "Invalid order_by"),
        ({"order_by": ["name", "`name` DESC"]}, "names the same key twice, the second time by '`name` DESC'"),
        ({"order_by": ["name"] * 4000}, "names the same key twice"),
        ({"page_token": "garbage"}, "Invalid page_token; expected the next_page_token of the page before"),
        ({"page_token": "eyJvZmZzZXQiOiAyfQ=="}, "Invalid page_token"),
        ({"page_token": "x" * 5000}, "Invalid page_token"),
    ]
    cases = [case for route in SEARCHES for case in asked(route, either)]
    cases += asked("registered-models/search", [({"max_results": "1001"}, "from 1 to 1000")])
    cases += asked("registered-models/list", [({"max_results": "1001"}, "from 1 to 1000")])
    cases += asked("registered-models/search", [({"filter": "run_id = 'r'"}, "'run_id' cannot be searched")])
    cases += asked("registered-models/search", [({"order_by": "version"}, "Invalid order_by 'version'")])
    cases += asked(
        "model-versions/search",
        [
            ({"filter": "source_path IN ('a')"}, "source_path cannot be compared by IN"),
            ({"filter": "version_number = 'x'"}, "a whole number was expected"),
            ({"filter": "version_number = 1.5"}, "a whole number was expected"),
            ({"filter": "version_number LIKE '1'"}, "version_number cannot be compared by LIKE"),
            ({"filter": f"version_number = {'9' * 23}"}, "a whole number was expected"),
            ({"filter": "current_stage = 'None'"}, "'current_stage' cannot be searched"),
            ({"max_results": "200001"}, "from 1 to 200000"),
            ({"order_by": "status"}, "Invalid order_by 'status'"),
        ],
    )

    assert not_as_expected(yard, cases) == []


def test_a_page_token_is_worth_nothing_to_another_question_or_forged(yard: Yard) -> None:
    token = yard.call("GET", "registered-models/search", max_results="1")["next_page_token"]
    payload, dot, signature = token.rpartition(".")
    other = "it belongs to another search. Keep filter and order_by unchanged"

    assert (
        not_as_expected(
            yard,
            asked(
                "registered-models/search",
                [
                    ({"page_token": token, "filter": "name != 'x'"}, other),
                    ({"page_token": token, "order_by": "name DESC"}, other),
                    ({"page_token": payload + dot + signature[::-1]}, "Invalid page_token"),
                    ({"page_token": payload[:-2] + "AA" + dot + signature}, "Invalid page_token"),
                    ({"page_token": payload}, "Invalid page_token"),
                ],
            )
            + asked("model-versions/search", [({"page_token": token}, "Invalid page_token")]),
        )
        == []
    )


HOSTILE_BODIES = {
    "nothing": b"",
    "no JSON": b"name=m",
    "half a document": b'{"name": "m"',
    "a list": b'[{"name": "m"}]',
    "a number": b"3",
    "a string of a string": json.dumps(json.dumps("m")).encode(),
    "200,000 brackets": b"[" * 200_000,
    "200,000 objects in each other": b'{"name":' * 200_000,
    "brackets as a value": b'{"name": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    "20 MiB": b'{"name": "' + b"m" * (20 << 20) + b'"}',
    "a NUL": b'{"name": "m\\u0000"}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a number of 400 digits": b'{"name": ' + b"9" * 400 + b"}",
    "not a number": b'{"name": NaN}',
    "80,000 tags": b'{"name": "n", "tags": [' + b'{"key":"a"},' * 80_000 + b'{"key":"b"}]}',
}
WRITING_ROUTES = [(method, route) for method, route, _ in EVERY_ROUTE if method != "GET"]


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
def test_hostile_bodies_are_refused_in_json(yard: Yard, body: bytes) -> None:
    answers = []
    for method, route in [*WRITING_ROUTES, ("POST", "registered-models/create")]:
        answer = yard.client.open(f"{PREFIX}/{route}", method=method, data=body, content_type="application/json")
        answers.append((answer.status_code, answer.get_json()["error_code"], len(answer.get_json()["message"]) < 600))

    # A body of many tags is well formed for the routes that take none, which then know no model `n`.
    assert set(answers) <= {(*INVALID, True), (*MISSING, True), (413, "BAD_REQUEST", True)}


@pytest.mark.parametrize(
    "query",
    [
        "name=%00",
        "name=%ff%fe",
        "name=%ed%a0%80",
        "name=%c0%ae%c0%ae",
        "name=%252e%252e%252fm",
        "name=%2e%2e%2fm",
        "name=m%0d%0aX-Injected:%201",
        "name=%uD800",
        "name=%6d&version=%31%00",
        "name=%6d&version=%EF%BC%91",
        "name[]=m",
        "name=%",
        "name=%zz",
        "&&&===",
        "version=1;name=m",
    ],
)
def test_percent_encodings_of_every_kind_are_refused_in_json(yard: Yard, query: str) -> None:
    answer = yard.client.get(f"{PREFIX}/model-versions/get?{query}")

    assert (answer.status_code, answer.get_json()["error_code"]) in (INVALID, MISSING)
    assert "X-Injected" not in answer.headers


def test_a_wrong_method_is_told_which_one_is_right(yard: Yard) -> None:
    wrong = []
    for method, route, _ in EVERY_ROUTE:
        other = "PUT" if method != "PUT" else "POST"
        answer = yard.client.open(f"{PREFIX}/{route}", method=other, json={})
        document = answer.get_json()
        if (answer.status_code, document["error_code"]) != (405, "ENDPOINT_NOT_FOUND") or method not in document[
            "message"
        ]:
            wrong.append((route, answer.status_code, document))

    assert wrong == []
