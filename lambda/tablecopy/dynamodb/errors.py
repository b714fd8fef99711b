"""The table of AWS error codes: what an error means for the call, and how long to wait before a retry."""

from __future__ import annotations

import random
from enum import Enum

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, SSLError

_BACKOFF_BASE_SECONDS = 0.05
_BACKOFF_CAP_SECONDS = 5.0


class Kind(Enum):
    """What an error means for the same call made again."""

    THROTTLED = "throttled"
    """It succeeds when there is capacity again."""
    TRANSIENT = "transient"
    """It may succeed later."""
    BUSY = "busy"
    """It may succeed later: another write or transaction holds the item."""
    EXPIRED = "expired"
    """It succeeds with new credentials."""
    NEW_SESSION = "new session"
    """The credentials are unknown: they are wrong, or so new that DynamoDB does not know them yet."""
    REJECTED = "rejected"
    """It is invalid in itself and always fails. Without one of its items it may succeed."""
    DENIED = "denied"
    """It fails until someone grants the permission."""
    UNRECOGNIZED = "unrecognized"
    """It fails with these credentials."""
    CLOCK = "clock"
    """It fails until this machine's clock is right."""
    UNSUPPORTED = "unsupported"
    """It fails because the endpoint does not have the operation."""
    FATAL = "fatal"
    """It fails until someone changes a table or a setting, or the error is an answer in itself."""


CONDITION_FAILED = "ConditionalCheckFailedException"
TRANSACTION_CANCELED = "TransactionCanceledException"
RESOURCE_NOT_FOUND = "ResourceNotFoundException"
POLICY_NOT_FOUND = "PolicyNotFoundException"
EXPIRED_ITERATOR = frozenset({"ExpiredIteratorException", "TrimmedDataAccessException"})

# Every error that botocore's models list for the operations used, and those common to all services
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html). A code that is
# missing here is transient with a status of 500 or more, and fatal otherwise.
CODES: dict[Kind, str] = {
    Kind.THROTTLED: """
        ProvisionedThroughputExceededException RequestLimitExceeded ThrottlingException ThrottledException
        Throttling LimitExceededException TooManyRequestsException RequestThrottled RequestThrottledException
        SlowDown OverLimit ExecutionLimitExceeded EC2ThrottledException KmsThrottled KmsThrottlingException
    """,
    # Some of these say that a mapping is being changed, or that a function is being set up.
    Kind.TRANSIENT: """
        InternalServerError InternalFailure InternalError InternalServerException ServiceUnavailable
        ServiceUnavailableException ServiceException RequestTimeout RequestTimeoutException
        RequestAbortedException RequestExpired PriorRequestNotComplete
        TransactionInProgressException
        ResourceInUseException ResourceConflictException ResourceNotReadyException
        CodeArtifactUserPendingException EC2UnexpectedException EFSIOException EFSMountConnectivityException
        EFSMountTimeoutException ENINotReadyException S3FilesMountConnectivityException
        S3FilesMountTimeoutException SnapStartNotReadyException SnapStartTimeoutException
    """,
    Kind.BUSY: "ReplicatedWriteConflictException TransactionConflictException",
    Kind.EXPIRED: "ExpiredToken ExpiredTokenException",
    Kind.NEW_SESSION: "UnrecognizedClientException",
    Kind.REJECTED: "ValidationException ItemCollectionSizeLimitExceededException",
    Kind.DENIED: "AccessDenied AccessDeniedException NotAuthorized UnauthorizedOperation",
    Kind.UNRECOGNIZED: """
        IncompleteSignature IncompleteSignatureException InvalidAccessKeyId InvalidClientTokenId
        InvalidSignatureException MissingAuthenticationToken MissingAuthenticationTokenException
        OptInRequired SignatureDoesNotMatch
    """,
    Kind.CLOCK: "RequestInTheFuture RequestTimeTooSkewed",
    Kind.UNSUPPORTED: "InvalidAction NotImplemented UnknownOperation UnknownOperationException",
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
        InvalidParameterCombination InvalidParameterValue InvalidQueryParameter
        MalformedHttpRequestException MalformedQueryString MissingAction MissingParameter
        RequestEntityTooLargeException SerializationException ValidationError
    """,
}

KINDS: dict[str, Kind] = {name: kind for kind, names in CODES.items() for name in names.split()}
"""Kind of each AWS error code that is known."""

# ConnectionError is not only "never connected": a TLS error in mid-answer is one as well.
NO_ANSWER = (HTTPClientError, ConnectionError)
"""What botocore raises when no complete answer came. The call may have taken effect, and may still do so."""


def code(error: ClientError) -> str:
    """Return the service's name for the error."""
    return error.response["Error"]["Code"]


def kind(error: ClientError) -> Kind:
    """Return what the error means for the same call made again."""
    return KINDS.get(code(error)) or (Kind.TRANSIENT if is_server_error(error) else Kind.FATAL)


def is_server_error(error: ClientError) -> bool:
    """Whether the service failed, so that it is unknown whether the call took effect."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def is_transient(error: ClientError) -> bool:
    """Whether the same call may succeed later."""
    transient = {Kind.THROTTLED, Kind.TRANSIENT, Kind.BUSY, Kind.EXPIRED, Kind.NEW_SESSION}
    return kind(error) in transient or is_server_error(error)


def is_throttled(error: ClientError) -> bool:
    """Whether the table, one of its indexes or a partition has no capacity at the moment."""
    return kind(error) is Kind.THROTTLED


def is_expired(error: ClientError) -> bool:
    """Whether new credentials of the same role may help."""
    return kind(error) in {Kind.EXPIRED, Kind.NEW_SESSION}


def is_rejected(error: ClientError) -> bool:
    """Whether the call is invalid in itself and always fails."""
    return kind(error) is Kind.REJECTED


def is_denied(error: ClientError) -> bool:
    """Whether the caller lacks a permission."""
    return kind(error) is Kind.DENIED


def is_untrusted(error: BotoCoreError) -> bool:
    """Whether the endpoint's certificate was not accepted: the next attempt fails in the same way."""
    return isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


class Backoff:
    """Waits with full jitter: any time between zero and an exponentially growing bound.

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
        """Start again with short waits, because something was achieved."""
        self._attempt = 0

    def next(self) -> float:
        """Return the seconds to wait before the next attempt."""
        bound = min(self._cap, self._base * 2**self._attempt)
        self._attempt += 1
        return self._jitter.uniform(0, bound)
