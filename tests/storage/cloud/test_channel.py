"""Pieces on their way from one thread to another: all of them, or an error on both sides."""

import pytest

from modelyard.storage.cloud.channel import GivenUp, send_through

PIECES = [bytes([number]) * 1000 for number in range(100)]


def test_every_piece_arrives_in_order():
    assert send_through(PIECES, lambda arriving: b"".join(arriving)) == b"".join(PIECES)


def test_what_the_pieces_raise_ends_the_sender_and_is_raised():
    told = []

    def pieces():
        yield from PIECES
        raise KeyError

    def send(arriving):
        try:
            list(arriving)
        except GivenUp:
            told.append(True)
            raise

    with pytest.raises(KeyError):
        send_through(pieces(), send)

    assert told == [True]


def test_what_the_sender_raises_is_raised_although_pieces_are_left():
    def send(arriving):
        next(arriving)
        raise KeyError

    with pytest.raises(KeyError):
        send_through(PIECES, send)
