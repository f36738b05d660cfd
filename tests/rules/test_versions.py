"""Version numbers, and what a status forbids."""

import pytest

from modelyard.errors import InvalidState, InvalidValue
from modelyard.rules.versions import VersionStatus, check_not_pending, check_ready, parse_version


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), ("0", 0), ("9" * 18, int("9" * 18))])
def test_a_version_is_a_whole_number(text: str, number: int) -> None:
    assert parse_version(text) == number


@pytest.mark.parametrize("text", ["", "latest", "1.0", "-1", "+1", " 1", "1e3", "٣", "9" * 19, "9" * 5000])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="expected a whole number"):
        parse_version(text)


@pytest.mark.parametrize(
    ("status", "ready", "pending"),
    [
        (VersionStatus.PENDING, False, True),
        (VersionStatus.READY, True, False),
        (VersionStatus.FAILED, False, False),
    ],
)
def test_a_status_says_what_may_be_done(status: VersionStatus, ready: bool, pending: bool) -> None:
    if ready:
        check_ready("m", 1, status, "downloaded")
    else:
        with pytest.raises(InvalidState, match=f"is {status}; only a READY version can be downloaded"):
            check_ready("m", 1, status, "downloaded")
    if pending:
        with pytest.raises(InvalidState, match="is being registered"):
            check_not_pending("m", 1, status)
    else:
        check_not_pending("m", 1, status)
