"""What can go wrong, as the caller sees it.

ProofsheetError                500  internal
├── BadRequest                 400  bad_request      the request cannot be understood
├── Unauthorized               401  unauthorized     no valid token or key
├── Forbidden                  403  forbidden        a valid token that lacks the role
├── NotFound                   404  not_found        not there, or another account's
├── Conflict                   409  conflict         the state does not allow it
├── Gone                       410  gone             it was there until a stated time
├── TooLarge                   413  too_large
├── UnsupportedType            415  unsupported_type
├── Unprocessable              422  unprocessable    valid JSON, impossible request
├── TooManyRequests            429  too_many_requests  with Retry-After
└── Unavailable                503  unavailable        with Retry-After

Chalice renders its subclasses of ChaliceViewError itself; `http.py` gives the body its final shape.
"""

from chalice.app import ChaliceViewError


class ProofsheetError(ChaliceViewError):  # type: ignore[misc]
    STATUS_CODE = 500
    code = "internal"
    retry_after: int | None = None

    def __init__(self, message: str, *, field: str | None = None, retry_after: int | None = None):
        super().__init__(message)
        self.message = message
        self.field = field
        if retry_after is not None:
            self.retry_after = retry_after


class BadRequest(ProofsheetError):
    STATUS_CODE = 400
    code = "bad_request"


class Unauthorized(ProofsheetError):
    STATUS_CODE = 401
    code = "unauthorized"


class Forbidden(ProofsheetError):
    STATUS_CODE = 403
    code = "forbidden"


class NotFound(ProofsheetError):
    STATUS_CODE = 404
    code = "not_found"


class Conflict(ProofsheetError):
    STATUS_CODE = 409
    code = "conflict"


class Gone(ProofsheetError):
    STATUS_CODE = 410
    code = "gone"


class TooLarge(ProofsheetError):
    STATUS_CODE = 413
    code = "too_large"


class UnsupportedType(ProofsheetError):
    STATUS_CODE = 415
    code = "unsupported_type"


class Unprocessable(ProofsheetError):
    STATUS_CODE = 422
    code = "unprocessable"


class TooManyRequests(ProofsheetError):
    STATUS_CODE = 429
    code = "too_many_requests"
    retry_after = 1


class Unavailable(ProofsheetError):
    STATUS_CODE = 503
    code = "unavailable"
    retry_after = 2
