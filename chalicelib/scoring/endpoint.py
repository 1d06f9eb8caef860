"""Values of feature vectors by a model that lives on a SageMaker endpoint.

An endpoint receives training records, one a line, and answers {"model": its name, "values": [...]}. What passes by
itself (throttling, a cold start, a time-out, an endpoint that is not there) is tried again within a budget that the
time limits of the callers leave, and then becomes Unavailable. So does every answer that is not a whole and finite one
by the model that was asked: there is never a wrong score.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import aws, log
from chalicelib.errors import Unavailable
from chalicelib.features import schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROWS = 500  # 3.7 MB of records; a serverless endpoint takes 4 MB
PAUSES = (0.2, 0.5, 1.0, 2.0)  # seconds before another try
BUDGET_SECONDS = 20.0  # of the 29 s that the API has, and of the 30 s of a worker
RETRY_AFTER = 5  # seconds; a cold start takes some ten
TRANSIENT = frozenset({
    *("ThrottlingException", "ModelNotReadyException", "ServiceUnavailable", "ServiceUnavailableException"),
    *("InternalFailure", "InternalServerError", "InternalDependencyException", "429", "500", "502", "503", "504"),
})  # fmt: skip


class Answer(msgspec.Struct):
    model: str
    values: list[float]


def predict(endpoint: str, vectors: NDArray[Any]) -> NDArray[np.float64]:
    """The value of each row, (n,). vectors: (n, d), see `features.schema.vector`; sent as float32.

    Raises Unavailable after at most BUDGET_SECONDS, ValueError for another d or numbers that are not finite.
    """
    import numpy as np

    deadline = time.monotonic() + BUDGET_SECONDS
    values: list[float] = []
    for start in range(0, len(vectors), ROWS):
        part = vectors[start : start + ROWS]
        values += _values(_ask(endpoint, _records(endpoint, part), deadline), endpoint, len(part))
    return np.array(values)


def _records(endpoint: str, vectors: NDArray[Any]) -> bytes:
    from chalicelib.scoring.record import TrainingRecord

    return b"\n".join(TrainingRecord(schema.SCHEMA_VERSION, endpoint, "", row).encode() for row in vectors)


def _ask(endpoint: str, records: bytes, deadline: float) -> bytes:
    for pause in (*PAUSES, None):
        try:
            return _invoke(endpoint, records)
        except Exception as error:
            if not transient(error):
                raise
            reason = aws.error_code(error) or type(error).__name__
        patience = aws.CONNECT_SECONDS + aws.READ_SECONDS["sagemaker-runtime"]
        if pause is None or time.monotonic() + pause + patience > deadline:
            break
        time.sleep(pause)
    raise _unavailable(endpoint, reason)


def _invoke(endpoint: str, records: bytes) -> bytes:
    answer = aws.sagemaker_runtime().invoke_endpoint(
        EndpointName=endpoint, ContentType="application/jsonlines", Accept="application/json", Body=records
    )
    return bytes(answer["Body"].read())


def transient(error: Exception) -> bool:
    """Whether the same request may be answered later. One that the model itself refuses as malformed never is."""
    code = aws.error_code(error)
    if code == "ModelError":  # 0: the container did not answer
        return not 400 <= getattr(error, "response", {}).get("OriginalStatusCode", 0) < 500
    vanished = code == "ValidationError" and "not found" in aws.error_text(error)
    return vanished or code in TRANSIENT or aws.unanswered(error)


def _values(answer: bytes, endpoint: str, count: int) -> list[float]:
    import math

    try:
        decoded = msgspec.json.decode(answer, type=Answer)
    except msgspec.MsgspecError:  # NaN is no JSON
        raise _unavailable(endpoint, "unreadable answer") from None
    if decoded.model != endpoint:
        raise _unavailable(endpoint, "another model's answer")
    if len(decoded.values) != count or not all(map(math.isfinite, decoded.values)):
        raise _unavailable(endpoint, "not one number for each row")
    return decoded.values


def _unavailable(endpoint: str, reason: str) -> Unavailable:
    log.warning("endpoint refused", endpoint=endpoint, reason=reason)
    return Unavailable("The model's endpoint does not answer now; try again.", retry_after=RETRY_AFTER)
