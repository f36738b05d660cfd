"""Requests that nobody means well with: every route, and all that can be wrong about asking it.

Most of a request is plausible and one or two things are hostile, so that it gets behind the first check. Values that
take long to draw (a million characters, 20 MiB) are constants.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from modelyard.web.api.routes import FILES, PREFIXES, REGISTRY, SERVICE
from tests.web.yards import UPLOADS

MEBIBYTE = 1 << 20
# Stands for the public id of the version that the fuzzed registry holds.
VERSION_ID = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Hostile:
    """A request as it goes over the wire: `path` and `query` are already percent-encoded, `headers` are extra ones."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    framing: Literal["length", "chunked"] = "length"

    def __repr__(self) -> str:
        body = self.body if len(self.body) <= 300 else self.body[:300] + f"... {len(self.body)} bytes".encode()
        head = f"{self.method} {self.path[:300]}?{self.query[:300]}"
        return f"{head} {dict(self.headers)!r:.300} {self.framing} {body!r}"


def _filled(path: str) -> str:
    """Return a route's path with something in place of its parameters."""
    values = {
        "<path:path>": f"versions/{VERSION_ID}/MLmodel",
        "<version_id>": VERSION_ID,
        "<operation>": "create",
        "<webhook_id>": VERSION_ID,
    }
    for parameter, value in values.items():
        path = path.replace(parameter, value)
    return path


ROUTES = [(route.method, prefix + _filled(route.path)) for route in REGISTRY for prefix in PREFIXES] + [
    (route.method, _filled(route.path)) for route in (*FILES, *SERVICE)
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"]

PLAUSIBLE: dict[str, Any] = {
    "name": "m",
    "new_name": "n",
    "version": "1",
    "stage": "Staging",
    "stages": ["None"],
    "archive_existing_versions": True,
    "source": "models:/m/1",
    "run_id": "0" * 32,
    "run_link": "http://tracking/run",
    "model_id": "m-" + "0" * 32,
    "description": "words",
    "tags": [{"key": "k", "value": "v"}],
    "key": "k",
    "value": "v",
    "alias": "champion",
    "filter": "name = 'm'",
    "max_results": 10,
    "order_by": ["name ASC"],
    "path": "data",
    "comment": "why not",
    "sig": "e30.e30",
}
FILTERS = [
    "name = 'm' OR 1=1",
    "name = 'm'; DROP TABLE jobs; --",
    "name = 'm' UNION SELECT * FROM registry",
    "name = ''' OR ''='",
    "name = \"m' OR '1'='1\"",
    "name LIKE '" + "%" * 10_000 + "'",
    "name LIKE '%_%_%_%\\'",
    "name = 'm'" + " AND name = 'm'" * 5000,
    "(" * 50_000,
    "'" * 50_001,
    "name IN (" + "'m'," * 50_000 + "'m')",
    "tags.`a`b` = 'c'",
    'tags."a" IS NULL',
    "tags.a = 'b' -- ",
    "version_number > " + "9" * 400,
    "version_number = -0x1",
    "attributes.name = 'm'",
    "name = '\0'",
    "name <> 'm'",
    "name\u00a0=\u00a0'm'",
    "run_id IN ()",
    "tags." + "k" * 100_000 + " = 'v'",
    "`" * 100_000,
]
TOKENS = [
    "eyJvZmZzZXQiOiAyfQ==",
    "eyJvZmZzZXQiOiAtMX0",
    "A" * 43 + ".e30",
    "W10.W10",
    ".",
    "..",
    "====",
    "\u0661",
    "x" * 100_000,
    "eyJhbGciOiJub25lIn0.eyJvIjoxfQ.",
]
NAMES = [
    "",
    " ",
    ".",
    "..",
    "../m",
    "m/../n",
    "a:b",
    "m\0",
    "\ud800",
    "\udfff\ud800",
    "\U0010ffff",
    "\u202em",
    "e\u0301",
    "%2e%2e%2f",
    "%00",
    "m\r\nX-Injected: 1",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "x" * 1_000_000,
    "\u00e9" * 257,
]
NUMBERS = [
    0,
    -1,
    1,
    10**22,
    -(10**22),
    2**31,
    2**63,
    2**64,
    1.5,
    1e308,
    True,
    "1" * 23,
    "-5",
    "0x10",
    "1e3",
    "\u0661",
    " 1",
    "NaN",
]
SOURCES = [
    "/etc/passwd",
    "file:///etc/passwd",
    "file://host/etc",
    "/../../etc/shadow",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1:22/",
    "s3://",
    "s3://bucket/../other",
    "models:/m/99999999999999999999999",
    "models:/m@" + "a" * 1000,
    "models:/",
    "models:/m-" + "z" * 32,
    "runs:/../x",
    "mlflow-artifacts:/..%2f..",
    f"dbfs:{UPLOADS}/../../x",
    f"dbfs:{UPLOADS}//x",
    "data:text/plain,x",
    "javascript:alert(1)",
    "dummy-source",
    "c:\\windows",
    "s3://b/" + "a" * 5000,
]
STRANGE: list[Any] = [None, [], {}, [[]], {"a": {}}, [None], [{"key": None}], "true", False, [{"key": "k"}] * 5000]

hostile_values = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NUMBERS),
    st.sampled_from(STRANGE),
    st.sampled_from(FILTERS),
    st.sampled_from(TOKENS),
    st.sampled_from(SOURCES),
    st.text(max_size=20),
    st.integers(),
    st.floats(allow_nan=True),
)
hostile_fields = st.dictionaries(
    st.sampled_from([*PLAUSIBLE, "page_token", "unknown", "__proto__", ""]), hostile_values, min_size=1, max_size=2
)

WRONG_BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'["name"]',
    b"17",
    b'"name"',
    b'"{\\"name\\": \\"m\\"}"',
    b'"' + b'\\"' * 1000 + b'"',
    b'{"name": "m"} trailing',
    b'{"name": "m", "name": "n"}',
    b'{"name": NaN}',
    b'{"name": "\\ud800"}',
    b'{"name": "\xff\xfe"}',
    b"\xef\xbb\xbf{}",
    '{"name": "m"}'.encode("utf-16"),
    b"\0" * 1000,
    b"name=m&version=1",
    b"--x\r\nContent-Disposition: form-data; name=name\r\n\r\nm\r\n--x--",
    b"[" * 200_000,
    b"[" * 200_000 + b"]" * 200_000,
    b'{"a":' * 200_000,
    b'{"tags": ' + b"[" * 200_000,
    b'{"name": "' + b"x" * 1_000_000 + b'"}',
    b'{"max_results": ' + b"9" * 100_000 + b"}",
    json.dumps({f"k{number}": number for number in range(50_000)}).encode(),
]
# Larger than a JSON body may be.
HUGE_BODIES = [
    b" " * (20 * MEBIBYTE),
    b'{"name": "' + b"x" * (20 * MEBIBYTE) + b'"}',
    b"[" * (20 * MEBIBYTE),
    b'{"description": "' + b"y" * (15 * MEBIBYTE) + b'"}',
]

HEADERS = [
    ("Content-Type", "text/plain"),
    ("Content-Type", "application/json; charset=utf-16"),
    ("Content-Type", "multipart/form-data"),
    ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Type", "\xff"),
    ("Content-Encoding", "gzip"),
    ("Authorization", "Basic !!!!"),
    ("Authorization", "Basic " + "QQ==" * 1000),
    ("Authorization", "Bearer "),
    ("Authorization", "Bearer \xe9"),
    ("Authorization", "Digest username=x"),
    ("Range", "bytes=0-0"),
    ("Range", "bytes=99999999999999999999999-"),
    ("Range", "bytes=-0"),
    ("Range", "bytes=5-1"),
    ("Range", "bytes=0-0," * 500),
    ("Range", "lines=a-b"),
    ("If-None-Match", "*"),
    ("If-None-Match", '"' * 1001),
    ("If-Modified-Since", "yesterday"),
    ("Idempotency-Key", ""),
    ("Idempotency-Key", "k" * 1000),
    ("Idempotency-Key", "\xe9"),
    ("X-Request-Id", "a\xffb"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Origin", "https://evil.example"),
    ("Origin", "null"),
    ("Origin", "http://[::1"),
    ("Referer", "http://[::1"),
    ("Cookie", "session=" + "x" * 4000),
    ("Accept", "text/html;q=abc"),
    ("Accept-Encoding", "br;q=2, *"),
    ("Expect", "the-spanish-inquisition"),
    ("X-Long", "x" * 70_000),
]

_PATH_TAILS = [
    "/",
    "//",
    "/..",
    "/../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/%252e%252e/x",
    "/%c0%ae%c0%ae/x",
    "%00",
    "/%00",
    "%0d%0aX-Injected:%201",
    "%zz",
    "%",
    "%ff%fe",
    "%ed%a0%80",
    "%f0%9f%92%a9",
    ";a=b",
    "/.",
    "%2f",
    "%5c..%5c",
    "/" + "a" * 5000,
    "/" + "%61" * 2000,
    "/" * 2000,
]


@st.composite
def _paths(draw: st.DrawFn, path: str) -> str:
    """`path` as it is, or wrongly written in one way."""
    way = draw(st.integers(0, 9))
    if way == 0:
        return path + draw(st.sampled_from(_PATH_TAILS))
    if way == 1:
        return "".join(f"%{ord(letter):02x}" if draw(st.booleans()) else letter for letter in path)
    if way == 2:
        place = draw(st.integers(1, len(path)))
        return path[:place] + draw(st.sampled_from(_PATH_TAILS)) + path[place:]
    if way == 3:
        return "/" + quote(draw(st.text(max_size=12)), safe="/", errors="surrogatepass")
    return path


@st.composite
def hostile_requests(draw: st.DrawFn) -> Hostile:
    """Any route, asked wrongly in one or several ways."""
    method, path = draw(st.sampled_from(ROUTES))
    if draw(st.integers(0, 9)) == 0:
        method = draw(st.sampled_from(METHODS))
    path = draw(_paths(path))
    fields = PLAUSIBLE | draw(hostile_fields) if draw(st.booleans()) else draw(hostile_fields)
    headers = tuple(draw(st.lists(st.sampled_from(HEADERS), max_size=1)))
    framing = draw(st.sampled_from(["length", "length", "length", "chunked"]))
    if method in ("GET", "HEAD", "OPTIONS", "TRACE"):
        return Hostile(method, path, draw(_queries(fields)), headers)
    query = draw(_queries(fields)) if method == "DELETE" and draw(st.booleans()) else ""
    return Hostile(method, path, query, headers, draw(_bodies(fields)), framing)


@st.composite
def _queries(draw: st.DrawFn, fields: dict[str, Any]) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(
            st.sampled_from(["%", "%zz=1", "&&&", "=", "a" * 5000, "name=%ff", "name=%00", "name=m&" * 2000, "?" * 99])
        )
    # What is too long for a server's request line would not get to the application at all.
    texts = {name: value if isinstance(value, list) else str(value)[:20_000] for name, value in fields.items()}
    return urlencode(texts, doseq=True, errors="surrogatepass")[:60_000]


@st.composite
def _bodies(draw: st.DrawFn, fields: dict[str, Any]) -> bytes:
    way = draw(st.integers(0, 39))
    if way == 0:
        return draw(st.sampled_from(HUGE_BODIES))
    if way < 12:
        return draw(st.sampled_from(WRONG_BODIES))
    if way == 12:
        return draw(st.binary(max_size=200))
    return json.dumps(fields).encode()
