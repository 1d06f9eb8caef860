"""AWS's scikit-learn container as far as a script notices it: python -P container.py train|serve FOLDER PROGRAM [FD]

FOLDER is laid out like /opt/ml. `train` runs the entry script as a program. `serve` asks its four functions: it answers
GET /ping and POST /invocations on the listening socket FD once `model_fn` has returned, and leaves a file `ready`.

It runs in a process of its own, alone with the standard library, what the archive brings, and the installed packages.
Like the container it decodes the text types of a request, and answers 500 for whatever the functions raise. Unlike it,
it runs in this machine's Python with its scikit-learn, and neither nginx nor gunicorn is there.
"""

from __future__ import annotations

import importlib
import os
import runpy
import socket
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TEXT = ("application/json", "text/csv")


def main() -> None:
    role, folder, program = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.path.insert(0, str(folder / "code"))
    if role == "train":
        runpy.run_path(str(folder / "code" / program), run_name="__main__")
    else:
        serve(folder, program.removesuffix(".py"), int(sys.argv[4]))


def end_with_parent() -> None:
    """The parent holds the other end of standard input; it closes however the parent ends."""
    while os.read(0, 1):
        pass
    os._exit(1)


def serve(folder: Path, module: str, descriptor: int) -> None:
    script: Any = importlib.import_module(module)
    model = script.model_fn(str(folder / "model"))
    server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=descriptor)
    server.script, server.model = script, model
    (folder / "ready").touch()
    server.serve_forever()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    script: Any
    model: Any


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/ping" else 404, b"", "text/plain")

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            body, kind = self.transform(content)
        except Exception:
            self.answer(500, traceback.format_exc().encode(), "text/plain")
            return
        self.answer(200, body.encode() if isinstance(body, str) else body, kind)

    def transform(self, content: bytes) -> tuple[str | bytes, str]:
        script, kind = self.server.script, self.headers["Content-Type"]
        data = script.input_fn(content.decode() if kind in TEXT else content, kind)
        accept = self.headers["Accept"]
        result = script.output_fn(script.predict_fn(data, self.server.model), accept)
        return result if isinstance(result, tuple) else (result, accept)

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """A line for each request would bury what the script prints."""


if __name__ == "__main__":
    main()
