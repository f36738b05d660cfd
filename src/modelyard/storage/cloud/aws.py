"""Access to S3 as every AWS tool finds it: credentials, region and endpoint from the environment's usual chain.

Environment variables, profiles, web identities, containers and instance roles are looked up by botocore.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import botocore.session
from botocore.credentials import Credentials

from modelyard.errors import ConfigurationError
from modelyard.rules.buckets import BucketFolder

_ASKED_EACH: Final = timedelta(minutes=5)


class AwsAccess:
    """What is needed to speak to the bucket of `folder`.

    Raises ConfigurationError when no credentials are found.
    """

    def __init__(self, folder: BucketFolder) -> None:
        session = botocore.session.Session()
        credentials: Credentials | None = session.get_credentials()
        if credentials is None:
            raise ConfigurationError(
                f"No credentials for {folder} were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "AWS_PROFILE, or give this machine a role."
            )
        self._credentials = credentials
        self.region: str = os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self.endpoint = (endpoint or f"https://s3.{self.region}.amazonaws.com").rstrip("/")

    def frozen(self) -> Credentials:
        """Return the credentials as they are now: those of a role are renewed from time to time."""
        return self._credentials.get_frozen_credentials()

    def credential(self) -> Any:
        """Return the credentials in obstore's words."""
        now = self.frozen()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            # Those of a role end. botocore knows when, renews them in time and is therefore asked again.
            "expires_at": datetime.now(UTC) + _ASKED_EACH if now.token else None,
        }

    def config(self) -> Any:
        """Return obstore's configuration: every upload is sent with the SHA-256 that the server has to check."""
        return {"region": self.region, "endpoint": self.endpoint, "checksum_algorithm": "sha256"}

    def client_options(self) -> dict[str, Any]:
        """Return obstore's options: plain HTTP only where the endpoint says so."""
        return {"allow_http": self.endpoint.startswith("http://")}
