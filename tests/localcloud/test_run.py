"""The supervisor: one line when it cannot start, no orphans, state kept, code reloaded."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from localcloud import processes
from localcloud.clients import client
from localcloud.run import ROOT, Ports
from tests.localcloud.conftest import BUCKET, SAMPLE, eventually


def command(ports, state, *more, project=SAMPLE):
    numbers = ["--port", ports.api, "--emulator-port", ports.emulator, "--invoke-port", ports.invoke]
    return [
        sys.executable,
        "-m",
        "localcloud.run",
        *map(str, [*numbers, "--state", state, "--project", project, *more]),
    ]


def run(ports, state, *more, project=SAMPLE):
    return subprocess.run(
        command(ports, state, *more, project=project), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def assert_one_line(finished, *words):
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert all(word in line for word in words)


@pytest.mark.parametrize("which", ["api", "emulator", "invoke"])
def test_a_port_in_use_is_named(tmp_path, which):
    ports = Ports.free()
    taken = getattr(ports, which)
    with socket.create_server(("127.0.0.1", taken)):
        assert_one_line(run(ports, tmp_path), f"Port {taken} ", "in use")


def test_a_state_in_use_is_named(observer, tmp_path):
    assert_one_line(run(Ports.free(), observer.local.state), str(observer.local.state), "in use by another emulator")


def test_a_second_cloud_that_cannot_start_leaves_the_notes_of_the_first(observer):
    local = observer.local
    for ports in (local.ports, Ports.free()):
        assert run(ports, local.state).returncode == 1
        assert (local.state / "env.json").exists()
        assert local.worker_pids


def test_a_state_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(run(Ports.free(), tmp_path / "file"), str(tmp_path / "file"))


def test_an_app_that_does_not_load_is_named(tmp_path):
    (tmp_path / "app.py").write_text("import nothing_of_the_kind\n")
    shutil.copytree(SAMPLE / ".chalice", tmp_path / ".chalice")
    finished = run(Ports.free(), tmp_path / "state", project=tmp_path)
    assert_one_line(finished, "nothing_of_the_kind", "api.log")


# One long life


def processes_of(folder):
    """The pids of the processes that work in a folder, or have it in their arguments or environment."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if str(folder) in traces(entry)]


def traces(entry):
    try:
        texts = [(entry / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")]
        return " ".join([str((entry / "cwd").readlink()), *texts])
    except OSError:
        return ""


class Life:
    """A supervisor as `make run` starts it, on a copy of the sample app."""

    def __init__(self, folder):
        self.folder = folder
        self.project = folder / "project"
        self.state = folder / "state"
        shutil.copytree(SAMPLE, self.project)
        self.ports = Ports.free()
        self.output = folder / "output"
        with self.output.open("wb") as output:
            arguments = command(self.ports, self.state, project=self.project)
            self.process = subprocess.Popen(arguments, cwd=ROOT, stdout=output, stderr=output)
        eventually((self.state / "env.json").exists, 30)

    def version(self):
        return requests.get(f"http://127.0.0.1:{self.ports.api}/version", timeout=10).json()["version"]

    def edit(self, before, after):
        app = self.project / "app.py"
        app.write_text(app.read_text().replace(before, after))


@pytest.fixture
def life(tmp_path):
    one = Life(tmp_path)
    yield one
    one.process.kill()
    one.process.wait()
    eventually(lambda: not processes_of(tmp_path), 20)


def write(life, key):
    """One item and one object, straight into the emulator."""
    endpoint = f"http://127.0.0.1:{life.ports.emulator}"
    item = {"pk": {"S": key}, "sk": {"S": "1"}}
    client("dynamodb", endpoint).put_item(TableName="proofsheet-local-main", Item=item)
    client("s3", endpoint).put_object(Bucket=BUCKET, Key=key, Body=b"1")


def sign_up(life):
    """A trigger fires, so that the emulator has a Lambda process of its own."""
    env = json.loads((life.state / "env.json").read_text())["env"]
    cognito = client("cognito-idp", env["AWS_ENDPOINT_URL"])
    cognito.sign_up(ClientId=env["PROOFSHEET_USER_POOL_CLIENT"], Username="one@example.org", Password="Correct-horse-9")
    cognito.admin_confirm_sign_up(UserPoolId=env["PROOFSHEET_USER_POOL"], Username="one@example.org")


def test_a_change_of_the_code_is_served_and_a_broken_one_is_survived(life):
    assert life.version() == 1
    note = json.loads((life.state / "env.json").read_text())
    assert note["base_url"] == f"http://127.0.0.1:{life.ports.api}"
    assert requests.get(f"{note['site_url']}/v/1", timeout=10).url == f"{note['base_url']}/resize?key=v/1"
    life.edit("VERSION = 1", "VERSION = 2")
    eventually(lambda: life.version() == 2)
    life.edit("VERSION = 2", "VERSION = = 3")
    eventually(lambda: "SyntaxError" in life.output.read_text())
    life.edit("VERSION = = 3", "VERSION = 3")
    eventually(lambda: life.version() == 3)
    account = client("lambda", f"http://127.0.0.1:{life.ports.invoke}")
    answer = account.invoke(FunctionName="proofsheet-local-account_born", Payload=b"{}")
    assert "FunctionError" not in answer


def test_no_child_outlives_a_killed_supervisor_and_the_state_is_saved(life):
    write(life, "saved")
    sign_up(life)
    life.process.send_signal(signal.SIGKILL)
    life.process.wait()
    eventually(lambda: not processes_of(life.folder), 20)
    for port in (life.ports.api, life.ports.emulator, life.ports.invoke):
        processes.require_free(port, "test")
    assert '"saved"' in (life.state / "emulator" / "services" / "dynamodb.json").read_text()


READ = """
import boto3, os, sys
boto3.client("s3").head_object(Bucket=os.environ["PROOFSHEET_MEDIA_BUCKET"], Key="kept")
key = {"pk": {"S": "kept"}, "sk": {"S": "1"}}
sys.exit(7 if "Item" in boto3.client("dynamodb").get_item(TableName="proofsheet-local-main", Key=key) else 8)
"""


def test_it_stops_when_asked_and_a_command_run_once_finds_what_it_kept(life):
    write(life, "kept")
    life.process.send_signal(signal.SIGINT)
    assert life.process.wait(20) == 0
    assert not processes_of(life.folder)
    assert not (life.state / "env.json").exists()
    finished = run(life.ports, life.state, "--once", sys.executable, "-c", READ)
    assert finished.returncode == 7, finished.stderr


def test_a_child_that_dies_is_started_again(observer):
    api = observer.local.app[0].process
    os.kill(api.pid, signal.SIGKILL)
    api.wait()
    # The request waits in the socket's backlog meanwhile.
    assert requests.get(f"{observer.local.base_url}/version", timeout=10).json()["pid"] != api.pid
