"""The files that pages load: our own, and htmx out of its wheel. Each has its content's digest in its address."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from flask import Response, request
from markupsafe import Markup

from modelyard.errors import EndpointNotFound

_OWN = {"app.css": "text/css", "app.js": "text/javascript", "icons.svg": "image/svg+xml"}
# An address is never used again for other bytes.
_FOR_EVER = "public, max-age=31536000, immutable"
_DIGEST_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent: plain, and packed for those who take it so."""

    address: str
    mimetype: str
    content: bytes
    packed: bytes


@lru_cache(1)
def assets() -> Mapping[str, Asset]:
    """Return every file by its name; read once a process."""
    own = files("modelyard.web.ui") / "static"
    found = {name: _asset(own / name, name, mimetype) for name, mimetype in _OWN.items()}
    htmx = files("js_lib_htmx") / "static" / "htmx" / "htmx.min.js"
    return found | {"htmx.js": _asset(htmx, "htmx.js", "text/javascript")}


def asset_address(name: str) -> str:
    """Return the address of the file called `name`."""
    return assets()[name].address


@lru_cache(256)
def symbol(name: str) -> Markup:
    """Return the drawing called `name` for a page; it says nothing, so words stand beside it."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>').format(
        asset_address("icons.svg"), name
    )


def send_asset(digest: str, name: str) -> Response:
    """Answer with a file. Raises EndpointNotFound for one of another release: its pages are gone, too."""
    asset = assets().get(name)
    if asset is None or asset.address != _address(digest, name):
        raise EndpointNotFound(f"There is no file {name[:100]!r} of this release. Load the page again.")
    packed = request.accept_encodings.quality("gzip") > 0
    answer = Response(asset.packed if packed else asset.content, mimetype=asset.mimetype)
    answer.headers["Cache-Control"] = _FOR_EVER
    answer.headers["Vary"] = "Accept-Encoding"
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    return answer


def _asset(path: Traversable, name: str, mimetype: str) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]
    return Asset(_address(digest, name), mimetype, content, gzip.compress(content, mtime=0))


def _address(digest: str, name: str) -> str:
    return f"/static/{digest}/{name}"
