"""What may be answered to a hostile request: a refusal in JSON that every client understands, and never a 5xx."""

import json
from dataclasses import dataclass

from tests.web.fuzz.hostile import Hostile

# Those that mlflow 1.7 to 3 know, whose 1.30 crashes on any other (contracts/mlflow.md 1.6).
SAFE_CODES = frozenset(
    {
        "BAD_REQUEST",
        "CUSTOMER_UNAUTHORIZED",
        "ENDPOINT_NOT_FOUND",
        "FEATURE_DISABLED",
        "INVALID_PARAMETER_VALUE",
        "INVALID_STATE",
        "MALFORMED_REQUEST",
        "PERMISSION_DENIED",
        "QUOTA_EXCEEDED",
        "REQUEST_LIMIT_EXCEEDED",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
        "RESOURCE_LIMIT_EXCEEDED",
    }
)
# A refusal quotes the beginning of what it found, never a megabyte of it.
MOST_WORDS_BYTES = 10_000
DONE = frozenset({200, 206, 304})
# The front door leads to a page; no route of an API leads anywhere.
SHOWN_ELSEWHERE = frozenset({302, 303})
# Multipart and presigned transfers are declined with the one code outside the set, which only new clients ask for.
DECLINED = (501, "NOT_IMPLEMENTED")


@dataclass(frozen=True)
class Answer:
    """A whole answer, and how long it took. `body` of an answer to HEAD is empty."""

    status: int
    content_type: str
    body: bytes
    seconds: float


def _is_page(asked: Hostile, answer: Answer) -> bool:
    """Whether a browser that asked for a page is refused by one; routes of an API answer it in JSON all the same."""
    below_an_api = asked.path.startswith(("/api/", "/ajax-api/", "/dbfs/"))
    return answer.content_type.startswith("text/html") and not below_an_api


def complaint(asked: Hostile, answer: Answer) -> str:
    """Say what is wrong with `answer`; "" when nothing is."""
    if answer.status in DONE or (answer.status in SHOWN_ELSEWHERE and "api" not in asked.path):
        return ""
    if not 400 <= answer.status < 500 and answer.status != DECLINED[0]:
        return f"status {answer.status}: {answer.body[:500]!r}"
    if asked.method == "HEAD" or _is_page(asked, answer):
        return ""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return f"a refusal that is not JSON: {answer.status} {answer.body[:500]!r}"
    if len(answer.body) > MOST_WORDS_BYTES:
        return f"a refusal of {len(answer.body)} bytes: {answer.body[:300]!r}"
    if not isinstance(document, dict) or not isinstance(document.get("message"), str) or not document["message"]:
        return f"a refusal without a message: {document!r:.500}"
    code = document.get("error_code")
    if code not in SAFE_CODES and (answer.status, code) != DECLINED:
        return f"a code that old clients do not know: {answer.status} {code}"
    return ""
