"""Pieces handed from the thread that reads them to the one that sends them, a few at a time.

obstore cannot be asked for bytes by the thread that is giving it some; and so the next piece is read meanwhile.
"""

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

Answer = TypeVar("Answer")

_PIECES_AHEAD = 4
_GLANCE_S = 0.2


class GivenUp(Exception):
    """What the sender is told when the pieces do not come to their end."""


# None is the end.
_Piece: TypeAlias = bytes | GivenUp | None


def send_through(pieces: Iterable[bytes], send: Callable[[Iterator[bytes]], Answer]) -> Answer:
    """Let another thread `send` what this one takes from `pieces`; return its answer.

    What `pieces` raises is raised here, after `send` was ended by GivenUp.
    """
    waiting: queue.Queue[_Piece] = queue.Queue(_PIECES_AHEAD)
    with ThreadPoolExecutor(1, thread_name_prefix="send") as threads:
        sending = threads.submit(send, _arriving(waiting))
        try:
            for piece in pieces:
                _hand_over(waiting, piece, sending)
        except BaseException:
            _hand_over(waiting, GivenUp(), sending)
            sending.exception()
            raise
        _hand_over(waiting, None, sending)
        return sending.result()


def _arriving(waiting: "queue.Queue[_Piece]") -> Iterator[bytes]:
    while (piece := waiting.get()) is not None:
        if isinstance(piece, GivenUp):
            raise piece
        yield piece


def _hand_over(waiting: "queue.Queue[_Piece]", piece: _Piece, sending: Future[Answer]) -> None:
    while not sending.done():
        try:
            waiting.put(piece, timeout=_GLANCE_S)
        except queue.Full:
            continue
        return
    # It ended before it had everything: its error says why.
    if not isinstance(piece, GivenUp):
        sending.result()
