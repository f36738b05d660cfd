"""The few requests of S3 that obstore has no call for: a checksum of ours, copies under a condition, lost uploads.

Signed by botocore, sent by urllib3. Source: Amazon S3 API reference.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from urllib3.exceptions import HTTPError

from modelyard.errors import NotFound, TemporaryFailure
from modelyard.storage.cloud.aws import AwsAccess

# What CopyObject takes; larger objects are copied in parts.
COPY_BYTES = 5 << 30
_COPIED_PART_BYTES = 1 << 30
_MAX_ANSWER_BYTES = 8 << 20
_RETRIES = urllib3.Retry(
    total=4, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False
)
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


class CopyRefused(Exception):
    """The server may not, or cannot, copy between these two places."""


class PreconditionFailed(Exception):
    """The object is not the one that the request was about."""


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """An upload in parts that nobody has completed or given up."""

    key: str
    upload_id: str
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    def text(self, name: str) -> str:
        """Return the text of the first element called `name`, "" when there is none."""
        return next((element.text or "" for element in self.document().iter() if _plain(element) == name), "")

    def document(self) -> ElementTree.Element:
        # An answer of S3 declares no entities; one that does wants to be expanded without end.
        if _DOCTYPE.search(self.content):
            raise TemporaryFailure("The bucket's answer declares entities, which no S3 server does.")
        try:
            return ElementTree.fromstring(self.content)  # noqa: S314 - without entities it cannot grow.
        except ElementTree.ParseError as error:
            raise TemporaryFailure("The bucket's answer is no XML. Is the endpoint an S3 server?") from error


class S3Requests:
    """Requests about one bucket; several threads may ask at once. Raises TemporaryFailure for other answers."""

    def __init__(self, access: AwsAccess, bucket: str) -> None:
        self._access = access
        self._bucket = bucket
        self._pool = urllib3.PoolManager(maxsize=16, retries=_RETRIES, timeout=urllib3.Timeout(connect=5.0, read=300.0))

    def refuses_wrong_checksums(self, key: str) -> bool:
        """Try to store bytes under a SHA-256 that is not theirs; whether the server noticed. Leaves nothing behind."""
        wrong = base64.b64encode(hashlib.sha256(b"other bytes").digest()).decode()
        answer = self._send("PUT", key, body=b"these bytes", headers={"x-amz-checksum-sha256": wrong})
        if answer.status == 200:
            self._expect(self._send("DELETE", key), 200, 204)
            return False
        if answer.status != 400:
            self._expect(answer, 400)
        return True

    def copy(
        self, bucket: str, key: str, target: str, *, size_bytes: int, etag: str, on_part: Callable[[int], None]
    ) -> str | None:
        """Copy an object of any bucket into this one while its tag is `etag`.

        `on_part` is called with the size of each part. Returns the SHA-256 in hex where the server computed it over
        the whole. Raises PreconditionFailed, NotFound, CopyRefused.
        """
        source = {"x-amz-copy-source": quote(f"/{bucket}/{key}"), "x-amz-copy-source-if-match": etag}
        if size_bytes > COPY_BYTES:
            self._copy_in_parts(source, target, size_bytes, on_part)
            return None
        headers = source | {"x-amz-checksum-algorithm": "SHA256"}
        answer = self._send("PUT", target, headers=headers)
        if answer.status in (403, 501):
            raise CopyRefused
        self._expect(answer, 200)
        if answer.text("ETag") == "":
            # S3 may answer 200 and tell an error in the body.
            raise TemporaryFailure(f"The bucket {self._bucket} did not copy an object: {answer.text('Code')}.")
        on_part(size_bytes)
        return _hex(answer.text("ChecksumSHA256"))

    def unfinished_uploads(self, prefix: str) -> Iterator[UnfinishedUpload]:
        """Yield the uploads in parts below `prefix` that were begun and neither completed nor given up."""
        query = {"uploads": "", "prefix": prefix}
        while True:
            answer = self._expect(self._send("GET", "", query=query), 200)
            for upload in (element for element in answer.document().iter() if _plain(element) == "Upload"):
                told = {_plain(element): element.text or "" for element in upload}
                if told["Key"].startswith(prefix):
                    yield UnfinishedUpload(told["Key"], told["UploadId"], datetime.fromisoformat(told["Initiated"]))
            if answer.text("IsTruncated") != "true":
                return
            query |= {"key-marker": answer.text("NextKeyMarker"), "upload-id-marker": answer.text("NextUploadIdMarker")}

    def give_up(self, upload: UnfinishedUpload) -> None:
        """Remove the parts of an upload; one that is gone already is no error."""
        self._expect(self._send("DELETE", upload.key, query={"uploadId": upload.upload_id}), 200, 204, 404)

    def _copy_in_parts(
        self, source: dict[str, str], target: str, size_bytes: int, on_part: Callable[[int], None]
    ) -> None:
        upload_id = self._expect(self._send("POST", target, query={"uploads": ""}), 200).text("UploadId")
        try:
            parts = []
            for number, start in enumerate(range(0, size_bytes, _COPIED_PART_BYTES), 1):
                end = min(size_bytes, start + _COPIED_PART_BYTES) - 1
                headers = source | {"x-amz-copy-source-range": f"bytes={start}-{end}"}
                query = {"partNumber": str(number), "uploadId": upload_id}
                etag = self._expect(self._send("PUT", target, query=query, headers=headers), 200).text("ETag")
                on_part(end - start + 1)
                parts.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
            body = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
            done = self._expect(self._send("POST", target, query={"uploadId": upload_id}, body=body), 200)
            if done.text("ETag") == "":
                raise TemporaryFailure(f"The bucket {self._bucket} did not copy an object: {done.text('Code')}.")
        except BaseException:
            self._send("DELETE", target, query={"uploadId": upload_id})
            raise

    def _send(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> _Answer:
        url = f"{self._access.endpoint}/{self._bucket}/{quote(key)}"
        if query:
            url += f"?{urlencode(query, quote_via=quote)}"
        request = AWSRequest(method, url, headers=dict(headers or {}), data=body)
        S3SigV4Auth(self._access.frozen(), "s3", self._access.region).add_auth(request)
        try:
            answer = self._pool.request(
                method, url, headers=dict(request.headers.items()), body=body, redirect=False, preload_content=False
            )
            content = answer.read(_MAX_ANSWER_BYTES)
            answer.release_conn()
        except (HTTPError, OSError) as error:
            raise TemporaryFailure(
                f"The bucket {self._bucket} does not answer ({type(error).__name__}). The copy is tried again."
            ) from error
        return _Answer(answer.status, answer.headers, content)

    def _expect(self, answer: _Answer, *statuses: int) -> _Answer:
        if answer.status in statuses:
            return answer
        if answer.status == 404:
            raise NotFound(f"There is no such object in {self._bucket}.")
        if answer.status == 412:
            raise PreconditionFailed
        code = answer.text("Code") if answer.content else ""
        raise TemporaryFailure(f"The bucket {self._bucket} answered {answer.status} {code}. The copy is tried again.")


def _plain(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace, of which some servers have none."""
    return element.tag.rpartition("}")[2]


def _hex(checksum: str) -> str | None:
    """Return a SHA-256 as 64 hex digits; None for one over parts ("...-3") or none at all."""
    try:
        digest = base64.b64decode(checksum, validate=True).hex()
    except ValueError:
        return None
    return digest if len(digest) == 64 else None
