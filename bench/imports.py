"""How long `import app` takes beside `import chalice`: CPU milliseconds of fresh interpreters, interleaved.

Both from byte code: pip compiled chalice, the bundle ships ours compiled, and so it is compiled here first.
`ratio` is of this checkout; `ratio_shipped` leaves out typing_extensions, which only our tools bring along: msgspec
takes it where it is, and the bundle has none. When a stage is packaged, also what a cold start of its API imports
(`packaged_api_ms`, see bench/packaged_api.py).
"""

from __future__ import annotations

import compileall
import json
import statistics
import subprocess
import sys
from typing import Any

from bench import packaged_api

REPETITIONS = 15
HEAVY = ("numpy", "scipy", "skimage", "sklearn", "PIL", "boto3", "botocore", "joblib", "cryptography", "jwt")
MODULES = {
    "chalice": "import chalice",
    "app": "import app",
    "shipped": "import sys; sys.modules['typing_extensions'] = None; import app",
}
TIMED = "import time; start = time.process_time(); {imports}; print((time.process_time() - start) * 1000)"
LOADED = "import app, sys; print(' '.join(name for name in {heavy!r} if name in sys.modules))"


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def rounds() -> list[list[float]]:
    """Milliseconds of each of MODULES, in turns; the first round, which fills the disk cache, does not count."""
    return [
        [float(python(TIMED.format(imports=imports))) for imports in MODULES.values()] for _ in range(REPETITIONS + 1)
    ][1:]


def main() -> None:
    compileall.compile_file("app.py", quiet=1)
    compileall.compile_dir("chalicelib", quiet=1)
    chalice, app, shipped = (statistics.median(each) for each in zip(*rounds(), strict=True))
    print(f"import chalice {chalice:.1f} ms, import app {app:.1f} ms: medians of {REPETITIONS}, warm byte code")
    heavy = python(LOADED.format(heavy=HEAVY)).split()
    answer: dict[str, Any] = {
        "import_app_ms": round(app, 1),
        "import_chalice_ms": round(chalice, 1),
        "ratio": round(app / chalice, 2),
        "ratio_shipped": round(shipped / chalice, 2),
        "heavy": heavy,
    }
    if bundle := packaged_api.newest_bundle():
        answer["packaged_api_ms"] = round(packaged_api.milliseconds(bundle), 1)
        print(f"API of {bundle} with its first clients: {answer['packaged_api_ms']} ms on one core")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
