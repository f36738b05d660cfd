"""The generated page on the pages."""

from tests.ui.reference import PAGE, PROMISES, rows_with_tests, written


def test_every_promise_has_a_test_named_after_it() -> None:
    assert set(PROMISES) - set(rows_with_tests()) == set()


def test_the_page_says_what_holds_each_promise() -> None:
    assert PAGE.read_text() == written(), "Run `python -m tests.ui.reference`."
