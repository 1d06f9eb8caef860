"""Processes that stand for SageMaker's instances: each unpacks what AWS would give it and runs `container.py` on it.

training = Container.train("job", "entry.py", source, {"training": {"train.npz": data}}, hyper_parameters)
serving = Container.serve("endpoint", "entry.py", source, model)
"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from localcloud import processes

SCRIPT = Path(__file__).with_name("container.py")
# Nothing of this repository, and no credentials.
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
INVOCATION_SECONDS = 60.0
BROKEN = (tarfile.TarError, gzip.BadGzipFile, EOFError)


@dataclass
class Container:
    folder: Path
    process: subprocess.Popen[bytes]
    port: int = 0

    @classmethod
    def train(
        cls, name: str, program: str, source: bytes, channels: dict[str, dict[str, bytes]], hyper: dict[str, object]
    ) -> Container:
        """source: sourcedir.tar.gz. channels: files by name. Raises what BROKEN names."""
        folder = _folder({"code": source})
        env = {"TRAINING_JOB_NAME": name, "SM_MODEL_DIR": str(folder / "model"), "SM_HPS": json.dumps(hyper)}
        for channel, files in channels.items():
            place = folder / "input" / "data" / channel
            place.mkdir(parents=True)
            env[f"SM_CHANNEL_{channel.upper()}"] = str(place)
            for file, content in files.items():
                (place / file).write_bytes(content)
        return cls(folder, _start("train", folder, program, env))

    @classmethod
    def serve(cls, program: str, source: bytes, model: bytes) -> Container:
        """source, model: sourcedir.tar.gz and model.tar.gz. Raises what BROKEN names."""
        folder = _folder({"code": source, "model": model})
        with processes.listen(0, "endpoint") as listener:
            process = _start("serve", folder, program, {"SM_MODEL_DIR": str(folder / "model")}, listener.fileno())
            return cls(folder, process, listener.getsockname()[1])

    @property
    def ready(self) -> bool:
        return (self.folder / "ready").exists()

    @property
    def ended(self) -> int | None:
        """The exit code."""
        return self.process.poll()

    def last_words(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def archive(self) -> bytes:
        """model.tar.gz of what the script left in SM_MODEL_DIR."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted((self.folder / "model").iterdir()):
                archive.add(path, path.name)
        return packed.getvalue()

    def ask(self, body: bytes, content_type: str, accept: str) -> tuple[int, str, bytes]:
        """Status, type and body of its answer. Raises OSError or HTTPException when there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=INVOCATION_SECONDS)
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": content_type, "Accept": accept})
            answer = connection.getresponse()
            return answer.status, answer.headers.get_content_type(), answer.read()
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _folder(archives: dict[str, bytes]) -> Path:
    """Like /opt/ml, with archives unpacked into its folders."""
    folder = Path(tempfile.mkdtemp(prefix="sagemaker-"))
    try:
        (folder / "model").mkdir()
        for name, data in archives.items():
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
                archive.extractall(folder / name, filter="data")
    except BROKEN:
        shutil.rmtree(folder)
        raise
    return folder


def _start(role: str, folder: Path, program: str, env: dict[str, str], *descriptors: int) -> subprocess.Popen[bytes]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT), role, str(folder), program, *map(str, descriptors)],
            env={**inherited, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **env},
            cwd=folder / "code",
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
            start_new_session=True,
        )
