"""SageMaker, which ministack lacks: training jobs, models and endpoints that really run the script of their archive.

| operation                                   | here                                                                  |
|---------------------------------------------|-----------------------------------------------------------------------|
| Create, Describe, StopTrainingJob           | the script as a program, in a process; model.tar.gz goes to S3        |
| Create, Describe, DeleteModel               | kept; the archive must lie in S3                                      |
| Create, Describe, DeleteEndpointConfig      | kept; one variant                                                     |
| Create, Describe, DeleteEndpoint            | a process that loads the model once, and answers until it is deleted  |
| InvokeEndpoint                              | asks it                                                               |

Requests are checked against botocore's description of the service, and refused in AWS's words. The image is not looked
at: every process runs this machine's Python (see container.py). Not there: several containers or variants, instances
and their number, UpdateEndpoint, cold starts, permissions of roles, and time that deleting takes.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from localcloud.asgi import App, whole
from localcloud.clients import ACCOUNT, arn
from localcloud.objects import Objects
from localcloud.script_mode import BROKEN, Container
from localcloud.validation import violations

Record = dict[str, Any]
BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
INVOCATIONS = re.compile(r"/endpoints/([^/]+)/invocations")
PAYLOAD_LIMIT = 4 * 1024 * 1024  # of a serverless endpoint
REASON_LIMIT = 1024
# Kind: its path in an ARN, the field with its name, and what AWS calls it.
KINDS = {
    "TrainingJob": ("training-job", "TrainingJobName", "training job"),
    "Model": ("model", "ModelName", "model"),
    "EndpointConfig": ("endpoint-config", "EndpointConfigName", "endpoint configuration"),
    "Endpoint": ("endpoint", "EndpointName", "endpoint"),
}


class Refused(Exception):
    def __init__(self, code: str, message: str | None, status: int = 400, **members: Any):
        super().__init__(message)
        self.code = code
        self.status = status
        self.body = {"__type": code, "message": message, "Message": message, **members}


class SageMaker:
    """ministack's app with SageMaker in front of it.

    kept: a file that carries its state from one run to the next; what was running is then started anew.
    """

    def __init__(self, app: App, kept: Path | None = None):
        self.app = app
        self.objects = Objects(app)
        self.kept = kept
        self.written = ""
        self.state: dict[str, dict[str, Record]] = {kind: {} for kind in KINDS}
        self.running: dict[tuple[str, str], Container] = {}
        self.busy: dict[str, int] = {}
        self.settling = asyncio.Lock()
        if kept and kept.exists():
            self.state |= json.loads(kept.read_text())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                self.close()
        elif scope["type"] != "http" or not (answering := self._answering(scope)):
            await self.app(scope, receive, send)
        else:
            await self._answer(answering, receive, send)

    def _answering(self, scope: Any) -> Callable[[bytes], Awaitable[tuple[bytes, str]]] | None:
        """What answers this request, when it is one for SageMaker."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        target = headers.get(b"x-amz-target", "")
        if target.startswith("SageMaker."):
            return lambda body: self.control(target.partition(".")[2], json.loads(body or b"{}"))
        if found := INVOCATIONS.fullmatch(scope["path"]):
            kind, accept = headers.get(b"content-type", ""), headers.get(b"accept", "")
            return lambda body: self.invoke(found[1], body, kind, accept)
        if scope["path"] == "/_ministack/reset":
            self.reset()
        return None

    async def _answer(self, answering: Any, receive: Any, send: Any) -> None:
        headers = [(b"x-amzn-requestid", b"local")]
        try:
            body, kind = await answering(await whole(receive))
            status = 200
        except Refused as refused:
            body, kind, status = json.dumps(refused.body).encode(), "application/x-amz-json-1.1", refused.status
            headers.append((b"x-amzn-errortype", refused.code.encode()))
        headers += [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    # Life

    def close(self) -> None:
        """End every process; what was to be kept is kept."""
        for key in list(self.running):
            self._end(*key)

    def reset(self) -> None:
        self.close()
        for records in self.state.values():
            records.clear()
        self._keep()

    def _end(self, kind: str, name: str) -> None:
        if container := self.running.pop((kind, name), None):
            container.stop()

    def _keep(self) -> None:
        text = json.dumps(self.state)
        if self.kept and text != self.written:
            partial = self.kept.with_suffix(".partial")
            partial.write_text(text)
            partial.rename(self.kept)
            self.written = text

    # Control

    async def control(self, operation: str, request: Record) -> tuple[bytes, str]:
        handler = getattr(self, f"do_{BETWEEN_WORDS.sub('_', operation).lower()}", None)
        if handler is None:
            raise Refused("UnknownOperationException", f"The local cloud has no {operation}")
        if told := violations("sagemaker", operation, request):
            raise Refused("ValidationException", told)
        async with self.settling:
            await self._settle()
            answer = await handler(request)
            await self._settle()
            self._keep()
        return json.dumps(answer).encode(), "application/x-amz-json-1.1"

    def _add(self, kind: str, request: Record, **more: Any) -> Record:
        path, field, called = KINDS[kind]
        name = request[field]
        made = {f"{kind}Arn": arn("sagemaker", f"{path}/{name}")}
        if name in self.state[kind]:
            raise Refused("ValidationException", f'Cannot create already existing {called} "{made[f"{kind}Arn"]}".')
        self.state[kind][name] = {**request, **made, "CreationTime": time.time(), **more}
        return made

    def _find(self, kind: str, name: str) -> Record:
        path, _, called = KINDS[kind]
        if name not in self.state[kind]:
            message = f'Could not find {called} "{arn("sagemaker", f"{path}/{name}")}".'
            raise Refused("ValidationException", message)
        return self.state[kind][name]

    # What happens meanwhile, seen whenever somebody asks

    async def _settle(self) -> None:
        for name, job in list(self.state["TrainingJob"].items()):
            if job["TrainingJobStatus"] == "InProgress":
                await self._train(name, job)
        for name, endpoint in list(self.state["Endpoint"].items()):
            if endpoint["EndpointStatus"] != "Failed":
                await self._host(name, endpoint)

    async def _train(self, name: str, job: Record) -> None:
        container = self.running.get(("TrainingJob", name))
        if container is None:
            try:
                self.running["TrainingJob", name] = await self._training(job)
            except (*BROKEN, LookupError) as error:
                _finish(job, "Failed", FailureReason=f"AlgorithmError: {error}")
        elif (ended := container.ended) == 0:
            artifact = f"{job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{name}/output/model.tar.gz"
            await self.objects.put(artifact, container.archive())
            _finish(job, "Completed", ModelArtifacts={"S3ModelArtifacts": artifact})
        elif ended is not None:
            told = f'ExecuteUserScriptError:\nExitCode {ended}\nErrorMessage "{container.last_words()}"'
            _finish(job, "Failed", FailureReason=f"AlgorithmError: {told}"[:REASON_LIMIT])
        elif time.time() - job["CreationTime"] > job["StoppingCondition"].get("MaxRuntimeInSeconds", 86400):
            _finish(job, "Stopped", SecondaryStatus="MaxRuntimeExceeded")
        if job["TrainingJobStatus"] != "InProgress":
            self._end("TrainingJob", name)

    async def _training(self, job: Record) -> Container:
        hyper = {name: _plain(text) for name, text in job.get("HyperParameters", {}).items()}
        channels = {}
        for channel in job.get("InputDataConfig", ()):
            place = channel["DataSource"]["S3DataSource"]["S3Uri"]
            found = await self.objects.below(place)
            channels[channel["ChannelName"]] = {
                each.removeprefix(place).lstrip("/"): await self._bytes(each) for each in found
            }
        source = await self._bytes(hyper["sagemaker_submit_directory"])
        return Container.train(job["TrainingJobName"], hyper["sagemaker_program"], source, channels, hyper)

    async def _host(self, name: str, endpoint: Record) -> None:
        container = self.running.get(("Endpoint", name))
        if container is None:
            try:
                self.running["Endpoint", name] = await self._serving(endpoint["local"]["model"]["PrimaryContainer"])
            except (*BROKEN, LookupError) as error:
                _fail(endpoint, f"Failed to extract model data archive for container: {error}")
        elif container.ready and endpoint["EndpointStatus"] == "Creating":
            endpoint |= {"EndpointStatus": "InService", "LastModifiedTime": time.time()}
        elif container.ended is not None:
            words = container.last_words()
            self._end("Endpoint", name)
            if endpoint["EndpointStatus"] == "Creating":
                variant = endpoint["local"]["variant"]["VariantName"]
                told = f"The primary container for production variant {variant} did not pass the ping health check."
                _fail(endpoint, f"{told} {words}")

    async def _serving(self, container: Record) -> Container:
        environment = container.get("Environment", {})
        source = await self._bytes(environment["SAGEMAKER_SUBMIT_DIRECTORY"])
        model = await self._bytes(container["ModelDataUrl"])
        return Container.serve(environment["SAGEMAKER_PROGRAM"], source, model)

    async def _bytes(self, address: str) -> bytes:
        data = await self.objects.get(address)
        if data is None:
            raise LookupError(f"there is no object {address}")
        return data

    # Training jobs

    async def do_create_training_job(self, request: Record) -> Record:
        name = request["TrainingJobName"]
        if known := self.state["TrainingJob"].get(name):
            told = "Training job names must be unique within an AWS account and region, and a training job"
            raise Refused("ResourceInUse", f"{told} with this name already exists ({known['TrainingJobArn']})")
        for channel in request.get("InputDataConfig", ()):
            place = channel["DataSource"]["S3DataSource"]["S3Uri"]
            if not await self.objects.below(place):
                told = f'No S3 objects found under S3 URL "{place}" given in input data source.'
                raise Refused("ValidationException", told)
        state = {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Starting"}
        return self._add("TrainingJob", request, **state)

    async def do_describe_training_job(self, request: Record) -> Record:
        found = self.state["TrainingJob"].get(request["TrainingJobName"])
        if found is None:
            raise Refused("ValidationException", "Requested resource not found.")
        return found

    async def do_stop_training_job(self, request: Record) -> Record:
        job = await self.do_describe_training_job(request)
        if job["TrainingJobStatus"] != "InProgress":
            told = "The request was rejected because the training job is in status"
            raise Refused("ValidationException", f"{told} {job['TrainingJobStatus']}.")
        self._end("TrainingJob", request["TrainingJobName"])
        _finish(job, "Stopped")
        return {}

    # Models and configurations

    async def do_create_model(self, request: Record) -> Record:
        container = request.get("PrimaryContainer") or {}
        if not {"Image", "ModelDataUrl"} <= container.keys() or "ExecutionRoleArn" not in request:
            told = "The local cloud takes a model with a role and a PrimaryContainer of Image and ModelDataUrl."
            raise Refused("ValidationException", told)
        if await self.objects.get(container["ModelDataUrl"]) is None:
            raise Refused("ValidationException", f"Could not find model data at {container['ModelDataUrl']}.")
        return self._add("Model", request)

    async def do_describe_model(self, request: Record) -> Record:
        return self._find("Model", request["ModelName"])

    async def do_delete_model(self, request: Record) -> Record:
        self._find("Model", request["ModelName"])
        del self.state["Model"][request["ModelName"]]
        return {}

    async def do_create_endpoint_config(self, request: Record) -> Record:
        for variant in request["ProductionVariants"]:
            self._find("Model", variant["ModelName"])
        return self._add("EndpointConfig", request)

    async def do_describe_endpoint_config(self, request: Record) -> Record:
        return self._find("EndpointConfig", request["EndpointConfigName"])

    async def do_delete_endpoint_config(self, request: Record) -> Record:
        self._find("EndpointConfig", request["EndpointConfigName"])
        del self.state["EndpointConfig"][request["EndpointConfigName"]]
        return {}

    # Endpoints

    async def do_create_endpoint(self, request: Record) -> Record:
        variant = self._find("EndpointConfig", request["EndpointConfigName"])["ProductionVariants"][0]
        # The endpoint outlives its configuration and its model, as on AWS.
        copied = {"variant": variant, "model": self._find("Model", variant["ModelName"])}
        return self._add("Endpoint", request, EndpointStatus="Creating", LastModifiedTime=time.time(), local=copied)

    async def do_describe_endpoint(self, request: Record) -> Record:
        found = self._find("Endpoint", request["EndpointName"])
        return {field: value for field, value in found.items() if field not in ("local", "Tags")}

    async def do_delete_endpoint(self, request: Record) -> Record:
        self._find("Endpoint", request["EndpointName"])
        self._end("Endpoint", request["EndpointName"])
        del self.state["Endpoint"][request["EndpointName"]]
        return {}

    async def invoke(self, name: str, body: bytes, kind: str, accept: str) -> tuple[bytes, str]:
        async with self.settling:
            await self._settle()
        record, container = self.state["Endpoint"].get(name), self.running.get(("Endpoint", name))
        if not record or not container or record["EndpointStatus"] != "InService":
            raise Refused("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
        if len(body) > PAYLOAD_LIMIT:
            raise Refused("ValidationError", f"Request size {len(body)} is larger than {PAYLOAD_LIMIT}.", 413)
        most = record["local"]["variant"].get("ServerlessConfig", {}).get("MaxConcurrency", 1000)
        if self.busy.get(name, 0) >= most:
            raise Refused("ThrottlingException", None)
        self.busy[name] = self.busy.get(name, 0) + 1
        try:
            status, answered, data = await asyncio.to_thread(container.ask, body, kind, accept)
        except (OSError, http.client.HTTPException):
            raise _model_error(0, f"Amazon SageMaker could not get a response from the {name} endpoint.") from None
        finally:
            self.busy[name] -= 1
        if status != 200:
            raise _model_error(status, data.decode(errors="replace"))
        return data, answered


def _finish(job: Record, status: str, **more: Any) -> None:
    now = time.time()
    billed = math.ceil(now - job["CreationTime"])
    job |= {"TrainingJobStatus": status, "SecondaryStatus": status, "TrainingEndTime": now, **more}
    job["BillableTimeInSeconds"] = billed


def _fail(endpoint: Record, reason: str) -> None:
    endpoint |= {"EndpointStatus": "Failed", "FailureReason": reason[:REASON_LIMIT], "LastModifiedTime": time.time()}


def _plain(text: str) -> Any:
    """A hyper-parameter as script mode reads it: JSON where it can be."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _model_error(status: int, message: str) -> Refused:
    kind = "client" if 400 <= status < 500 else "server"
    told = f'Received {kind} error ({status}) from primary with message "{message}".'
    return Refused("ModelError", told, 424, OriginalStatusCode=status, OriginalMessage=message)
