"""Sending a stored file: whole or a range of it, in pieces, with its digest as ETag."""

from http import HTTPStatus
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import is_resource_modified

from modelyard.storage.store import Store, StoredBlob

# granian passes pieces on as they are; larger ones only cost memory.
PIECE_BYTES = 256 * 1024
# The client goes there at once, and a range that follows asks here again.
ADDRESS_LIFE_S = 60


def file_answer(store: Store, blob: StoredBlob, *, file_name: str, redirect: bool = False) -> Response:
    """Return the answer to a GET or HEAD of a stored file; with `redirect` a GET gets the store's own address, if any.

    Its length is always announced: a file that ends too soon must look broken to the client, never short.
    Raises NotFound when the blob is gone.
    """
    etag = f'"{blob.digest}"'
    if not is_resource_modified(request.environ, etag=etag):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    wanted = _wanted_range(blob.size_bytes, etag)
    start, end = wanted or (0, blob.size_bytes)
    opened = store.open_blob(blob.digest, blob.gen, blob.size_bytes)
    if redirect and request.method == "GET":
        address = store.signed_url(blob.digest, blob.gen, ADDRESS_LIFE_S)
        if address is not None:
            opened.close()
            return _redirect(address)
    answer = Response(
        opened.pieces(start, end - start, piece_bytes=PIECE_BYTES) if request.method == "GET" else b"",
        status=HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK,
        # Guessed types would let a model's HTML run as a page of this server.
        mimetype="application/octet-stream",
        direct_passthrough=True,
    )
    answer.call_on_close(opened.close)
    answer.headers["ETag"] = etag
    answer.headers["Accept-Ranges"] = "bytes"
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"
    answer.headers["Content-Length"] = str(end - start)
    if wanted:
        answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size_bytes}"
    return answer


def _redirect(address: str) -> Response:
    # The address opens the file for anybody who sees it, so nobody on the way may keep this answer.
    headers = {"Location": address, "Cache-Control": "no-store"}
    return Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)


def _wanted_range(size_bytes: int, etag: str) -> tuple[int, int] | None:
    """Return the first byte wanted and the one behind the last; None for the whole file.

    Several ranges, other units and a range of a file that has changed since are answered by the whole file, as HTTP
    allows. Raises RequestedRangeNotSatisfiable.
    """
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    found = asked.range_for_length(size_bytes)
    if found is None:
        raise RequestedRangeNotSatisfiable(length=size_bytes)
    return found
