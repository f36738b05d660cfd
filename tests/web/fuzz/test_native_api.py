"""Schemathesis asks everything that the native API's description allows, and much that it forbids.

It checks that answers are described and of their schemas, that wrong data are refused, that credentials are asked for,
and more. Whether right data are accepted is not asked: no schema tells a page's token, or which job can be retried.
"""

from collections.abc import Callable

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from modelyard.rules.jobs import JobStatus
from modelyard.web.api.routes import NATIVE_PREFIX
from tests.databases import MOSTLY_SQLITE
from tests.web.yards import Yard

REQUESTS_AN_OPERATION = 15


@MOSTLY_SQLITE
def test_the_native_api_keeps_what_its_description_promises(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(auth="token", admin_token="right")
    for status in (JobStatus.QUEUED, JobStatus.FAILED, JobStatus.SUCCEEDED, JobStatus.CANCELLED):
        yard.add_job(status=status)
    description = schemathesis.openapi.from_wsgi(f"{NATIVE_PREFIX}/openapi.json", yard.app)

    for found in description.get_all_operations():
        asked(found.ok())


def asked(operation: schemathesis.APIOperation) -> None:
    @settings(max_examples=REQUESTS_AN_OPERATION, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(operation.as_strategy(mode) for mode in GenerationMode))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": "Bearer right"}, excluded_checks=[positive_data_acceptance])

    ask()
