"""What an AWS error means for the call that met it, and how long to wait before the next try."""

from __future__ import annotations

import random
from enum import Enum

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, SSLError

_BACKOFF_BASE_SECONDS = 0.05
_BACKOFF_CAP_SECONDS = 5.0


class Kind(Enum):
    """What an error says about the same call made again."""

    THROTTLE = "throttle"
    """It succeeds when there is capacity again."""
    RETRYABLE = "retryable"
    """It may succeed later."""
    EXPIRED = "expired"
    """It succeeds with new credentials."""
    REFUSAL = "refusal"
    """It is invalid in itself and always fails; without one of its items it may succeed."""
    DENIED = "denied"
    """It fails until someone grants the permission."""
    UNRECOGNIZED = "unrecognized"
    """It fails with these credentials, or with this clock."""
    FATAL = "fatal"
    """It fails until someone changes a table, a permission or a setting, or it is an answer in itself."""


# Every error that botocore's models list for the operations used, and those common to all services
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html). Errors that are
# missing here are retryable with a status of 500 or more, and fatal otherwise.
CODES: dict[Kind, str] = {
    Kind.THROTTLE: """
        ProvisionedThroughputExceededException RequestLimitExceeded ThrottlingException ThrottledException
        Throttling LimitExceededException TooManyRequestsException RequestThrottled RequestThrottledException
        SlowDown OverLimit ExecutionLimitExceeded EC2ThrottledException KmsThrottled KmsThrottlingException
    """,
    # A write in another Region or a transaction held the item, a mapping is being changed, or a function is
    # being set up.
    Kind.RETRYABLE: """
        InternalServerError InternalFailure InternalError InternalServerException ServiceUnavailable
        ServiceUnavailableException ServiceException RequestTimeout RequestTimeoutException
        RequestAbortedException RequestExpired PriorRequestNotComplete
        ReplicatedWriteConflictException TransactionConflictException TransactionInProgressException
        ResourceInUseException ResourceConflictException ResourceNotReadyException
        CodeArtifactUserPendingException EC2UnexpectedException EFSIOException EFSMountConnectivityException
        EFSMountTimeoutException ENINotReadyException S3FilesMountConnectivityException
        S3FilesMountTimeoutException SnapStartNotReadyException SnapStartTimeoutException
    """,
    # DynamoDB answers UnrecognizedClientException to a new session that it does not know yet.
    Kind.EXPIRED: "ExpiredToken ExpiredTokenException UnrecognizedClientException",
    Kind.REFUSAL: "ValidationException ItemCollectionSizeLimitExceededException",
    Kind.DENIED: "AccessDenied AccessDeniedException NotAuthorized UnauthorizedOperation",
    Kind.UNRECOGNIZED: """
        IncompleteSignature IncompleteSignatureException InvalidAccessKeyId InvalidClientTokenId
        InvalidSignatureException MissingAuthenticationToken MissingAuthenticationTokenException
        OptInRequired RequestInTheFuture RequestTimeTooSkewed SignatureDoesNotMatch
    """,
    Kind.FATAL: """
        ConditionalCheckFailedException TransactionCanceledException IdempotentParameterMismatchException
        ResourceNotFoundException TableNotFoundException PolicyNotFoundException InvalidEndpointException
        ExpiredIteratorException TrimmedDataAccessException
        ExecutionAlreadyExists ExecutionDoesNotExist InvalidArn InvalidExecutionInput InvalidName
        StateMachineDeleting StateMachineDoesNotExist
        InvalidAddress InvalidAttributeName InvalidIdFormat InvalidSecurity QueueDoesNotExist
        ReceiptHandleIsInvalid UnsupportedOperation
        MalformedPolicyDocument PackedPolicyTooLarge RegionDisabledException
        KmsAccessDenied KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired
        KmsAccessDeniedException KmsInvalidStateException
        CodeArtifactUserDeletedException CodeArtifactUserFailedException
        DurableExecutionAlreadyStartedException EC2AccessDeniedException EFSMountFailureException
        ENILimitReachedException InvalidParameterValueException InvalidRequestContentException
        InvalidRuntimeException InvalidSecurityGroupIDException InvalidSubnetIDException
        InvalidZipFileException KMSAccessDeniedException KMSDisabledException KMSInvalidStateException
        KMSNotFoundException ModeNotSupportedException NoPublishedVersionException
        RecursiveInvocationException RequestTooLargeException S3FilesMountFailureException
        SerializedRequestEntityTooLargeException ServiceQuotaExceededException SnapStartException
        SnapStartRegenerationFailureException SubnetIPAddressLimitReachedException
        UnsupportedMediaTypeException
        InvalidAction InvalidParameterCombination InvalidParameterValue InvalidQueryParameter
        MalformedHttpRequestException MalformedQueryString MissingAction MissingParameter
        RequestEntityTooLargeException SerializationException UnknownOperationException ValidationError
    """,
}

KINDS: dict[str, Kind] = {name: kind for kind, names in CODES.items() for name in names.split()}
"""Kind of each AWS error code that is known."""

# ConnectionError is not only "never connected": a TLS error in mid-answer is one as well.
NO_ANSWER = (HTTPClientError, ConnectionError)
"""What botocore raises when no complete answer came. The call may have taken effect, and may still do so."""


def code(error: ClientError) -> str:
    """Return DynamoDB's name for the error."""
    return error.response["Error"]["Code"]


def kind(error: ClientError) -> Kind:
    """Return what the error says about the same call made again."""
    return KINDS.get(code(error)) or (Kind.RETRYABLE if is_server_error(error) else Kind.FATAL)


def is_throttle(error: ClientError) -> bool:
    """Whether the table, one of its indexes or a partition has no capacity at the moment."""
    return kind(error) is Kind.THROTTLE


def is_expired(error: ClientError) -> bool:
    """Whether the session's credentials are no longer valid, and new ones are."""
    return kind(error) is Kind.EXPIRED


def is_denied(error: ClientError) -> bool:
    """Whether the caller lacks a permission."""
    return kind(error) is Kind.DENIED


def is_unrecognized(error: ClientError) -> bool:
    """Whether AWS does not take the request for one of a caller that it knows."""
    return kind(error) is Kind.UNRECOGNIZED


def is_server_error(error: ClientError) -> bool:
    """Whether DynamoDB failed, so that it is unknown whether the call took effect."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def is_retryable(error: ClientError) -> bool:
    """Whether the same call may succeed later."""
    return kind(error) in {Kind.THROTTLE, Kind.RETRYABLE, Kind.EXPIRED} or is_server_error(error)


def is_refusal(error: ClientError) -> bool:
    """Whether the call is invalid in itself and always fails."""
    return kind(error) is Kind.REFUSAL


def is_untrusted(error: BotoCoreError) -> bool:
    """Whether the endpoint's certificate was refused: the next try fails in the same way."""
    return isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


class Backoff:
    """Full jitter: each wait is any time between zero and an exponentially growing bound.

    Parameters
    ----------
    base, cap
        Bounds of the first wait and of any wait, in seconds.
    """

    def __init__(
        self,
        jitter: random.Random,
        base: float = _BACKOFF_BASE_SECONDS,
        cap: float = _BACKOFF_CAP_SECONDS,
    ) -> None:
        self._jitter = jitter
        self._base = base
        self._cap = cap
        self._attempt = 0

    def progress(self) -> None:
        """Something was achieved: begin again with short waits."""
        self._attempt = 0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        bound = min(self._cap, self._base * 2**self._attempt)
        self._attempt += 1
        return self._jitter.uniform(0, bound)
