"""The local cloud's SageMaker runs the script of its archive and refuses what AWS would refuse."""

from __future__ import annotations

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from botocore.exceptions import ClientError

from localcloud.sagemaker import SageMaker
from localcloud.script_mode import Container
from tests.localcloud.conftest import BUCKET, eventually

ROLE = "arn:aws:iam::000000000000:role/sagemaker"
# Trains by adding up a file of numbers; serves by adding that to what it is sent. "wait" takes its time, "raise" fails.
SCRIPT = """
import json, os, sys, time

def model_fn(folder):
    with open(folder + "/sum") as file:
        return {"sum": int(file.read()), "process": os.getpid()}

def input_fn(content, content_type):
    return content_type, json.loads(content)

def predict_fn(data, model):
    if data[1] == "wait":
        time.sleep(0.5)
        return {}
    return {"value": model["sum"] + data[1], "type": data[0], "process": model["process"]}

def output_fn(prediction, accept):
    return json.dumps(prediction), accept

if __name__ == "__main__":
    with open(os.environ["SM_CHANNEL_TRAINING"] + "/numbers.json") as file:
        numbers = json.load(file)
    if numbers == "sleep":
        time.sleep(60)
    with open(os.environ["SM_MODEL_DIR"] + "/sum", "w") as file:
        file.write(str(sum(numbers) + json.loads(os.environ["SM_HPS"]).get("more", 0)))
"""


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_py", ".py"))
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


class Studio:
    """Uses SageMaker through a function that gives clients."""

    def __init__(self, client, name: str):
        self.client, self.name = client, name
        self.sagemaker = client("sagemaker")
        self.folder = f"s3://{BUCKET}/{name}"
        self.put("sourcedir.tar.gz", archive(script_py=SCRIPT))
        self.put("model.tar.gz", archive(sum="40"))

    def put(self, key: str, data: bytes) -> str:
        self.client("s3").put_object(Bucket=BUCKET, Key=f"{self.name}/{key}", Body=data)
        return f"{self.folder}/{key}"

    def job(self, numbers: object = (1, 2), **more: object) -> dict:
        self.put("training/numbers.json", json.dumps(numbers).encode())
        place = {"S3DataType": "S3Prefix", "S3Uri": f"{self.folder}/training/"}
        request = {
            "TrainingJobName": self.name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "HyperParameters": {
                "sagemaker_program": '"script.py"',
                "sagemaker_submit_directory": f"{self.folder}/sourcedir.tar.gz",
                "more": "4",
            },
            "InputDataConfig": [{"ChannelName": "training", "DataSource": {"S3DataSource": place}}],
            "OutputDataConfig": {"S3OutputPath": f"{self.folder}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        return request | more

    def trained(self, **job: object) -> dict:
        self.sagemaker.create_training_job(**self.job(**job))
        return self.ended()

    def ended(self) -> dict:
        def look():
            found = self.sagemaker.describe_training_job(TrainingJobName=self.name)
            return found["TrainingJobStatus"] != "InProgress" and found

        return eventually(look)

    def model(self, **more: object) -> dict:
        environment = {
            "SAGEMAKER_PROGRAM": "script.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": f"{self.folder}/sourcedir.tar.gz",
        }
        container = {"Image": "image", "ModelDataUrl": f"{self.folder}/model.tar.gz", "Environment": environment}
        return {"ModelName": self.name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container} | more

    def config(self, **more: object) -> dict:
        serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
        variant = {"VariantName": "AllTraffic", "ModelName": self.name, "ServerlessConfig": serverless}
        return {"EndpointConfigName": self.name, "ProductionVariants": [variant]} | more

    def serve(self) -> dict:
        self.sagemaker.create_model(**self.model())
        self.sagemaker.create_endpoint_config(**self.config())
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.name)
        return self.settled()

    def settled(self) -> dict:
        def look():
            found = self.sagemaker.describe_endpoint(EndpointName=self.name)
            return found["EndpointStatus"] != "Creating" and found

        return eventually(look)

    def ask(self, content: object, name: str = "") -> dict:
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name or self.name,
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps(content).encode(),
        )
        return json.load(answer["Body"])


@pytest.fixture
def studio(observer, request):
    name = request.node.name.removeprefix("test_").replace("_", "-").replace("[", "-").rstrip("]")[:60].strip("-")
    return Studio(observer.client, name)


def refused(call, **request: object) -> dict:
    with pytest.raises(ClientError) as error:
        call(**request)
    return error.value.response


# Training


def test_a_training_job_runs_the_script_and_leaves_its_model_in_s3(studio):
    job = studio.trained()
    assert job["TrainingJobStatus"] == "Completed", job
    artifact = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifact == f"{studio.folder}/out/{studio.name}/output/model.tar.gz"
    key = artifact.removeprefix(f"s3://{BUCKET}/")
    packed = studio.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.extractfile("sum").read() == b"7"


def test_a_script_that_fails_gives_its_last_words_as_the_reason(studio):
    job = studio.trained(numbers=3)
    assert job["TrainingJobStatus"] == "Failed"
    assert "AlgorithmError: ExecuteUserScriptError:\nExitCode 1" in job["FailureReason"]
    assert "TypeError: 'int' object is not iterable" in job["FailureReason"]


def test_an_archive_that_cannot_be_read_fails_the_job(studio):
    studio.put("sourcedir.tar.gz", b"not an archive")
    assert studio.trained()["TrainingJobStatus"] == "Failed"


def test_a_job_can_be_stopped_once(studio):
    studio.sagemaker.create_training_job(**studio.job("sleep"))
    studio.sagemaker.stop_training_job(TrainingJobName=studio.name)
    assert studio.ended()["TrainingJobStatus"] == "Stopped"
    answer = refused(studio.sagemaker.stop_training_job, TrainingJobName=studio.name)
    assert answer["Error"]["Message"].endswith("because the training job is in status Stopped.")


def test_a_job_ends_at_its_time_limit(studio):
    job = studio.trained(numbers="sleep", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


# Serving


def test_an_endpoint_asks_the_scripts_functions_and_loads_the_model_once(studio):
    assert studio.serve()["EndpointStatus"] == "InService"
    answers = [studio.ask(number) for number in range(3)]
    assert [answer["value"] for answer in answers] == [40, 41, 42]
    assert {answer["type"] for answer in answers} == {"application/json"}
    assert len({answer["process"] for answer in answers}) == 1


def test_an_endpoint_of_a_broken_archive_fails_with_a_reason(studio):
    studio.put("model.tar.gz", b"not an archive")
    found = studio.serve()
    assert found["EndpointStatus"] == "Failed"
    assert "Failed to extract model data archive" in found["FailureReason"]


def test_an_endpoint_whose_script_cannot_load_its_model_fails_with_a_reason(studio):
    studio.put("model.tar.gz", archive(other="1"))
    found = studio.serve()
    assert found["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]


def test_what_a_script_raises_is_a_model_error(studio):
    studio.serve()
    answer = refused(studio.ask, content="text")
    assert (answer["Error"]["Code"], answer["OriginalStatusCode"]) == ("ModelError", 500)
    assert "can only concatenate str" in answer["OriginalMessage"] or "unsupported operand" in answer["OriginalMessage"]


def test_requests_beyond_the_concurrency_are_throttled(studio):
    studio.serve()
    address = f"{studio.sagemaker.meta.endpoint_url}/endpoints/{studio.name}/invocations"
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(requests.post, address, json="wait", timeout=10) for _ in range(3)]
    refusals = [each.result().headers.get("x-amzn-errortype") for each in asked]
    assert sorted(refusals, key=str) == [None, None, "ThrottlingException"]


def test_an_endpoint_outlives_its_configuration_and_model_and_then_is_gone(studio):
    studio.serve()
    studio.sagemaker.delete_endpoint_config(EndpointConfigName=studio.name)
    studio.sagemaker.delete_model(ModelName=studio.name)
    assert studio.ask(1)["value"] == 41
    studio.sagemaker.delete_endpoint(EndpointName=studio.name)
    answer = refused(studio.ask, content=1)
    assert answer["Error"]["Code"] == "ValidationError"
    assert answer["Error"]["Message"] == f"Endpoint {studio.name} of account 000000000000 not found."


# What is refused


def test_names_and_roles_are_checked_as_aws_describes_them(studio):
    create, message = studio.sagemaker.create_training_job, "Error"
    told = [
        refused(create, **studio.job(TrainingJobName="under_score")),
        refused(create, **studio.job(TrainingJobName="a" * 64)),
        refused(create, **studio.job(RoleArn="nobody" * 5)),
        refused(studio.sagemaker.create_model, **studio.model(ModelName="a.b")),
    ]
    assert {each["Error"]["Code"] for each in told} == {"ValidationException"}
    assert "at 'trainingJobName' failed to satisfy constraint: Member must satisfy" in told[0][message]["Message"]
    assert "Member must have length less than or equal to 63" in told[1][message]["Message"]
    assert "at 'roleArn'" in told[2][message]["Message"]


def test_nothing_is_made_of_what_does_not_exist(studio):
    config, other = studio.config(), f"s3://{BUCKET}/nowhere/"
    name = {"EndpointName": studio.name, "EndpointConfigName": studio.name}
    lost = studio.model()["PrimaryContainer"] | {"ModelDataUrl": f"{other}model.tar.gz"}
    assert "Could not find model " in refused(studio.sagemaker.create_endpoint_config, **config)["Error"]["Message"]
    assert "endpoint configuration" in refused(studio.sagemaker.create_endpoint, **name)["Error"]["Message"]
    answer = refused(studio.sagemaker.create_model, **studio.model(PrimaryContainer=lost))
    assert answer["Error"]["Message"].startswith("Could not find model data at")
    job = studio.job()
    job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = other
    assert "No S3 objects found" in refused(studio.sagemaker.create_training_job, **job)["Error"]["Message"]


def test_nothing_is_made_twice(studio):
    studio.trained()
    studio.serve()
    job = refused(studio.sagemaker.create_training_job, **studio.job())["Error"]
    assert (job["Code"], "already exists" in job["Message"]) == ("ResourceInUse", True)
    for call, request in (
        (studio.sagemaker.create_model, studio.model()),
        (studio.sagemaker.create_endpoint_config, studio.config()),
        (studio.sagemaker.create_endpoint, {"EndpointName": studio.name, "EndpointConfigName": studio.name}),
    ):
        assert refused(call, **request)["Error"]["Message"].startswith("Cannot create already existing")


def test_what_is_not_there_is_neither_described_nor_deleted(studio):
    job = refused(studio.sagemaker.describe_training_job, TrainingJobName="no")["Error"]
    assert (job["Code"], job["Message"]) == ("ValidationException", "Requested resource not found.")
    for kind, field in (
        ("endpoint", "EndpointName"),
        ("endpoint_config", "EndpointConfigName"),
        ("model", "ModelName"),
    ):
        for verb in ("describe", "delete"):
            answer = refused(getattr(studio.sagemaker, f"{verb}_{kind}"), **{field: "no"})
            assert answer["Error"]["Message"].startswith("Could not find ")


def test_an_operation_that_is_not_there_is_refused(studio):
    answer = refused(studio.sagemaker.list_models)
    assert answer["Error"]["Code"] == "UnknownOperationException"


# Its life


def test_a_process_ends_with_the_one_that_started_it():
    container = Container.serve("script.py", archive(script_py=SCRIPT), archive(sum="1"))
    try:
        eventually(lambda: container.ready)
        container.process.stdin.close()
        assert container.process.wait(5) == 1
    finally:
        container.stop()


def test_a_script_sees_neither_this_repository_nor_credentials(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ".")
    script = "import os\nassert not [name for name in os.environ if name.startswith('AWS_')]\nimport localcloud\n"
    container = Container.train("job", "script.py", archive(script_py=script), {}, {})
    try:
        assert container.process.wait(10) == 1
        assert "No module named 'localcloud'" in container.last_words()
    finally:
        container.stop()


def test_a_wrapper_leaves_all_other_requests_alone():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["path"])

    wrapper = SageMaker(app)
    for path in ("/", "/endpoints/a", "/bucket/endpoints/a/invocations"):
        coroutine = wrapper({"type": "http", "path": path, "headers": []}, None, None)
        with pytest.raises(StopIteration):
            coroutine.send(None)
    assert seen == ["/", "/endpoints/a", "/bucket/endpoints/a/invocations"]
