"""A model's home at SageMaker: a training job, a model, a serverless endpoint, all of one name for each version.

AWS's own state says what is done, so `advance` may be called again at any time and by anybody. A new version has an
endpoint of its own, which serves before that of the old version goes.

Below the version's folder (see `storage`):

| objects                 | what                                                         | lives as long as |
|-------------------------|--------------------------------------------------------------|------------------|
| training/               | the channel of the training job                              | the training     |
| sagemaker/              | sourcedir.tar.gz and the job's model.tar.gz, which every     | the endpoint     |
|                         | cold start reads; agreement.npz                              |                  |
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from chalicelib import aws, log
from chalicelib.errors import Unavailable
from chalicelib.features import schema
from chalicelib.scoring import endpoint
from chalicelib.settings import settings
from chalicelib.training import entry, storage

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from chalicelib.scoring.regression import KernelMachine
    from chalicelib.training.customer import Outcome
    from chalicelib.training.dataset import DataSet
    from chalicelib.training.pipeline import Space

INSTANCE = "ml.m5.large"
DISK_GB = 5
TRAINING_SECONDS = 1800
MEMORY_MB = 2048
CONCURRENCY = 5
# By their place in the archive, which is where the container finds them.
SOURCES = {
    "entry.py": "training/entry.py",
    "chalicelib/__init__.py": "__init__.py",
    "chalicelib/scoring/regression.py": "scoring/regression.py",
    "chalicelib/training/pipeline.py": "training/pipeline.py",
}
AGREEMENT_ROWS = 20
AGREEMENT = 1e-6  # in the targets' unit
UNFINISHED = ("InProgress", "Stopping")
# What another try does not change; whatever else is unknown comes back with the queue's next delivery.
REFUSALS = frozenset({"ValidationException", "ResourceLimitExceeded", "AccessDeniedException", "ModelError"})


class TrainingFailed(Exception):
    """This version will never serve. The message is for a person."""


def endpoint_name(model: str, number: int) -> str:
    """At most 63 characters, for a stage's 20 and 9,999 versions."""
    return settings().name(f"{model}-{number}")


# Before


def stage_input(
    account: str, model: str, number: int, data: DataSet, outcome: Outcome, space: Space, prior: KernelMachine | None
) -> None:
    """Write what the training job reads, and what its endpoint is held to. Twice writes the same bytes.

    data: the rows that the outcome's machine is fitted to.
    """
    folder = storage.folder(account, model, number)
    arrays = {"vectors": data.vectors, "targets": data.targets, "weights": data.weights, **entry.packed(space, prior)}
    order = {
        "name": endpoint_name(model, number),
        "schema": schema.SCHEMA_VERSION,
        "recipe": outcome.recipe.to_dict(),
    }
    known = {"vectors": data.vectors[-AGREEMENT_ROWS:], "values": _inline(outcome, data.vectors[-AGREEMENT_ROWS:])}
    storage.write(folder + "sagemaker/sourcedir.tar.gz", source())
    storage.write(folder + "sagemaker/agreement.npz", _packed(known))
    storage.write(f"{folder}training/{entry.ORDER}", json.dumps(order).encode())
    storage.write(f"{folder}training/{entry.ARRAYS}", _packed(arrays))


def _inline(outcome: Outcome, vectors: NDArray[Any]) -> NDArray[np.float64]:
    """What the model's arrays say of these rows, (n,)."""
    import numpy as np

    if outcome.model is None:
        raise ValueError("there is no model")
    rows = vectors.astype(np.float64)
    return outcome.model.machine(outcome.model.compression(rows), outcome.model.scalars(rows))


def source() -> bytes:
    """sourcedir.tar.gz, always of the same bytes for the same code."""
    import gzip
    import io
    import tarfile
    from pathlib import Path

    package, packed = Path(__file__).parents[1], io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in SOURCES.items():
            content = (package / path).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _packed(arrays: dict[str, Any]) -> bytes:
    import io

    import numpy as np

    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


# On the way


def advance(account: str, model: str, number: int) -> Literal["waiting", "ready"]:
    """Do what can be done now for this version's endpoint; "ready" when it serves the values of the inline model.

    Raises TrainingFailed when it never will.
    """
    try:
        done = _advance(account, model, number)
    except Unavailable:
        return "waiting"
    except Exception as error:
        if endpoint.transient(error):
            return "waiting"
        if aws.error_code(error) in REFUSALS:
            log.exception("AWS refused", model=model, number=number)
            raise TrainingFailed(f"AWS refused a request: {_nameless(aws.error_text(error))}") from error
        raise
    return "ready" if done else "waiting"


def _advance(account: str, model: str, number: int) -> bool:
    name = endpoint_name(model, number)
    found = _described(aws.sagemaker().describe_endpoint, EndpointName=name)
    if found is None:
        _build(account, model, number)
        return False
    if found["EndpointStatus"] == "Failed":
        raise TrainingFailed(f"The endpoint did not start: {_nameless(found.get('FailureReason', ''))}")
    return bool(found["EndpointStatus"] == "InService") and _agrees(account, model, number)


def _build(account: str, model: str, number: int) -> None:
    """The next steps until something has to be waited for."""
    client, name = aws.sagemaker(), endpoint_name(model, number)
    job = _described(client.describe_training_job, TrainingJobName=name)
    if job is None:
        _made(client.create_training_job, _training_job(account, model, number))
    elif job["TrainingJobStatus"] == "Completed":
        _made(client.create_model, _model(account, model, number, job["ModelArtifacts"]["S3ModelArtifacts"]))
        _made(client.create_endpoint_config, _endpoint_config(name))
        _made(client.create_endpoint, {"EndpointName": name, "EndpointConfigName": name})
    elif job["TrainingJobStatus"] not in UNFINISHED:
        reason = _nameless(job.get("FailureReason") or job.get("SecondaryStatus", ""))
        raise TrainingFailed(f"The training job ended as {job['TrainingJobStatus']}: {reason}")


def _nameless(told: str) -> str:
    """AWS's words for an owner of a model, who need not know our AWS account, roles and buckets."""
    import re

    return re.sub(r"\b(arn:aws|s3:/)[^\s,;'\"]+", "(ours)", told) or "AWS gives no reason"


def _training_job(account: str, model: str, number: int) -> dict[str, Any]:
    folder = _address(account, model, number)
    program = {
        "sagemaker_program": "entry.py",
        "sagemaker_submit_directory": f"{folder}sagemaker/sourcedir.tar.gz",
        "sagemaker_region": settings().region,
    }
    channel = {"S3DataType": "S3Prefix", "S3Uri": f"{folder}training/", "S3DataDistributionType": "FullyReplicated"}
    return {
        "TrainingJobName": endpoint_name(model, number),
        "RoleArn": settings().sagemaker_role,
        "AlgorithmSpecification": {"TrainingImage": settings().sagemaker_image, "TrainingInputMode": "File"},
        "HyperParameters": {key: json.dumps(value) for key, value in program.items()},
        "InputDataConfig": [{"ChannelName": "training", "DataSource": {"S3DataSource": channel}}],
        "OutputDataConfig": {"S3OutputPath": f"{folder}sagemaker"},
        "ResourceConfig": {"InstanceType": INSTANCE, "InstanceCount": 1, "VolumeSizeInGB": DISK_GB},
        "StoppingCondition": {"MaxRuntimeInSeconds": TRAINING_SECONDS},
    }


def _model(account: str, model: str, number: int, artifact: str) -> dict[str, Any]:
    environment = {
        "SAGEMAKER_PROGRAM": "entry.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": f"{_address(account, model, number)}sagemaker/sourcedir.tar.gz",
        "SAGEMAKER_REGION": settings().region,
    }
    container = {"Image": settings().sagemaker_image, "ModelDataUrl": artifact, "Environment": environment}
    name, role = endpoint_name(model, number), settings().sagemaker_role
    return {"ModelName": name, "ExecutionRoleArn": role, "PrimaryContainer": container}


def _endpoint_config(name: str) -> dict[str, Any]:
    serverless = {"MemorySizeInMB": MEMORY_MB, "MaxConcurrency": CONCURRENCY}
    variant = {"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": serverless}
    return {"EndpointConfigName": name, "ProductionVariants": [variant]}


def _address(account: str, model: str, number: int) -> str:
    return f"s3://{settings().media_bucket}/{storage.folder(account, model, number)}"


def _agrees(account: str, model: str, number: int) -> bool:
    """Ask the endpoint for values that are known: the container's scikit-learn is not ours."""
    import io

    import numpy as np

    data = storage.read(storage.folder(account, model, number) + "sagemaker/agreement.npz")
    if data is None:
        raise TrainingFailed("What the endpoint is to be held to is gone.")
    with np.load(io.BytesIO(data), allow_pickle=False) as known:
        apart = np.abs(endpoint.predict(endpoint_name(model, number), known["vectors"]) - known["values"]).max()
    if not apart <= AGREEMENT:
        raise TrainingFailed(f"The endpoint's values are up to {apart:.2g} away from those of the model's arrays.")
    return True


def billed_seconds(model: str, number: int) -> float | None:
    """How long AWS bills a training job that has ended; None where it does not say."""
    job: dict[str, Any] = aws.sagemaker().describe_training_job(TrainingJobName=endpoint_name(model, number))
    return job.get("BillableTimeInSeconds")


# After


def remove(account: str, model: str, number: int) -> None:
    """Delete whatever exists of the version's endpoint, configuration and model, and stop its training job.

    Twice does no harm. Raises Unavailable while AWS is still making the endpoint.
    """
    client, name = aws.sagemaker(), endpoint_name(model, number)
    job = _described(client.describe_training_job, TrainingJobName=name)
    if job is not None and job["TrainingJobStatus"] == "InProgress":
        _gone(client.stop_training_job, TrainingJobName=name)
    _gone(client.delete_endpoint, EndpointName=name)
    _gone(client.delete_endpoint_config, EndpointConfigName=name)
    _gone(client.delete_model, ModelName=name)


def _described(describe: Callable[..., dict[str, Any]], **name: str) -> dict[str, Any] | None:
    try:
        return describe(**name)
    except Exception as error:
        if _missing(error):
            return None
        raise


def _made(make: Callable[..., Any], request: dict[str, Any]) -> None:
    """Make what another worker, or this one before it died, may have made already."""
    try:
        make(**request)
    except Exception as error:
        if "already exist" not in aws.error_text(error):
            raise


def _gone(take: Callable[..., Any], **name: str) -> None:
    """Delete or stop what may be gone or at an end already."""
    try:
        take(**name)
    except Exception as error:
        if "in-progress" in aws.error_text(error):
            raise Unavailable("The model's endpoint is still being made; try again.") from error
        if not _missing(error) and "training job is in status" not in aws.error_text(error):
            raise


def _missing(error: Exception) -> bool:
    """SageMaker tells by text alone what is not there: "Could not find ...", "Requested resource not found."."""
    told = aws.error_text(error).lower()
    known = ("ValidationException", "ResourceNotFound", "ResourceNotFoundException")
    return aws.error_code(error) in known and ("could not find" in told or "not found" in told)
