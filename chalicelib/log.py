"""Structured logs and metrics on standard output, one JSON object a line, joined by a correlation id.

Metrics use CloudWatch's embedded metric format: a log line that CloudWatch turns into a metric, without a call.
"""

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chalicelib.settings import settings

_calls: ContextVar[dict[str, float] | None] = ContextVar("calls", default=None)
_correlation: ContextVar[str | None] = ContextVar("correlation", default=None)


@contextmanager
def correlation(identifier: str | None) -> Iterator[None]:
    """Everything logged or published inside carries this id."""
    token = _correlation.set(identifier)
    try:
        yield
    finally:
        _correlation.reset(token)


def current_correlation() -> str | None:
    return _correlation.get()


def invocation(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Middleware: one line for each invocation of a function, with its time and the AWS requests that it made.

    `make cost` prices these lines; in production they tell what a slow or dear function does.
    """
    context = getattr(event, "context", None)
    function = getattr(getattr(event, "lambda_context", context), "function_name", "?")
    calls: dict[str, float] = {}
    token, start, cpu = _calls.set(calls), time.perf_counter(), time.thread_time()
    try:
        return get_response(event)
    finally:
        _calls.reset(token)
        took = {"ms": (time.perf_counter() - start) * 1000, "cpu_ms": (time.thread_time() - cpu) * 1000}
        info("invocation", function=function, aws=calls, **{name: round(value, 1) for name, value in took.items()})


def count(request: str, units: float = 1) -> None:
    """Add to what the running invocation asks of AWS, such as ("dynamodb.UpdateItem", 2 write units)."""
    calls = _calls.get()
    if calls is not None:
        calls[request] = calls.get(request, 0) + units


def info(message: str, **fields: Any) -> None:
    _write("info", message, fields)


def warning(message: str, **fields: Any) -> None:
    _write("warning", message, fields)


def exception(message: str, **fields: Any) -> None:
    """An error with the trace of the exception that is being handled."""
    _write("error", message, {**fields, "trace": traceback.format_exc()})


def metric(name: str, value: float = 1, unit: str = "Count", **dimensions: str) -> None:
    _metrics({name: (value, unit)}, dimensions)


def metrics(**measured: tuple[float, str]) -> None:
    """Several metrics in one line, each as name=(value, unit)."""
    _metrics(measured, {})


def _metrics(measured: dict[str, tuple[float, str]], dimensions: dict[str, str]) -> None:
    dimensions = {"stage": settings().stage, **dimensions}
    declaration = {
        "Namespace": "Proofsheet",
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in measured.items()],
    }
    emf = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [declaration]}
    values = {name: value for name, (value, _) in measured.items()}
    _emit({"_aws": emf, **values, **dimensions, "correlation": _correlation.get()})


def _write(level: str, message: str, fields: dict[str, Any]) -> None:
    _emit({"level": level, "message": message, "at": time.time(), "correlation": _correlation.get(), **fields})


def _emit(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()
