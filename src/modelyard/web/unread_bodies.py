"""Reading what a refused request still sends.

The server under us closes a connection whose body was not read, and the client, still sending, sees a reset instead
of the answer: no message, and retries for minutes.
"""

from http import HTTPStatus

from flask import Flask, Response, request

# Reading costs little; beyond this much the client learns by the reset.
MOST_BYTES = 64 << 20
_PIECE_BYTES = 256 * 1024


def register_drain(app: Flask) -> None:
    """Let `app` read the bodies of the requests that it refuses."""

    def drain(answer: Response) -> Response:
        if answer.status_code >= HTTPStatus.BAD_REQUEST and request.content_length:
            _discard(min(request.content_length, MOST_BYTES))
        return answer

    app.after_request(drain)


def _discard(left_bytes: int) -> None:
    # Not `request.stream`, which refuses to be read beyond the limit of its route.
    stream = request.environ["wsgi.input"]
    while left_bytes > 0 and (piece := stream.read(min(_PIECE_BYTES, left_bytes))):
        left_bytes -= len(piece)
