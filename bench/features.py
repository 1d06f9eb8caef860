"""What describing one photo costs: CPU milliseconds of one core, and the memory that ingesting a huge one takes.

`decode_ms` is one decoding of the working copy. Each of `handcrafted_ms` (quality, color and composition together),
`embedding_ms` and `faces_ms` has one decoding in it, because each property may run in a function of its own;
`total_ms` is all five properties after a single decoding.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench import photos

if TYPE_CHECKING:
    from chalicelib.images.working_copy import Prepared

RATED = 34
REPETITIONS = 5
HANDCRAFTED = ("quality", "color", "composition")
INGEST = """
import pathlib, resource, sys
from chalicelib.images.working_copy import prepare
prepare(pathlib.Path(sys.argv[1]).read_bytes())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def peak_rss_mb(photo: Path) -> float:
    """Peak resident memory of a fresh process that ingests the photo.

    A child's maximum starts at the size of the process that started it, so this comes before numpy is loaded here.
    """
    kilobytes = subprocess.run([sys.executable, "-c", INGEST, str(photo)], check=True, capture_output=True, text=True)
    return int(kilobytes.stdout) / 1000


def costs(copy: Prepared) -> dict[str, float]:
    """Medians for one photo, the parts interleaved."""
    from chalicelib.features import extract
    from chalicelib.features.photo import Photo

    def describe(*properties: str) -> None:
        photo = Photo.open(copy.jpeg, copy.width, copy.height)
        for name in properties:
            extract(name, photo)

    parts = {
        "decode_ms": (),
        "handcrafted_ms": HANDCRAFTED,
        "embedding_ms": ("content",),
        "faces_ms": ("faces",),
        "total_ms": (*HANDCRAFTED, "content", "faces"),
        **{f"{name}_ms": (name,) for name in HANDCRAFTED},
    }
    describe(*parts["total_ms"])
    rounds = [
        {part: cpu_ms(lambda names=names: describe(*names)) for part, names in parts.items()}  # type: ignore[misc]
        for _ in range(REPETITIONS)
    ]
    return {part: statistics.median(one[part] for one in rounds) for part in parts}


def medians(measured: list[dict[str, float]]) -> dict[str, float]:
    return {part: round(statistics.median(one[part] for one in measured), 1) for part in measured[0]}


def ingested(paths: list[Path]) -> tuple[list[Prepared], float]:
    """Working copies, and the median CPU milliseconds that one took."""
    from chalicelib.images.working_copy import prepare

    originals = [path.read_bytes() for path in paths]
    copies = [prepare(data) for data in originals]
    return copies, round(statistics.median(cpu_ms(lambda data=data: prepare(data)) for data in originals), 1)  # type: ignore[misc]


def report(kind: str, measured: dict[str, float], ingest_ms: float) -> None:
    parts = ", ".join(f"{part.removesuffix('_ms')} {value}" for part, value in measured.items())
    print(f"{kind}, CPU ms: ingest {ingest_ms}, {parts}", flush=True)


def main() -> None:
    # One core, as the figures say; numpy reads this when it is first imported.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    rated = photos.rated(RATED)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "bench.photos", folder], check=True)
        memory = {coding: round(peak_rss_mb(path)) for coding, path in photos.largest(Path(folder)).items()}
        print(f"Peak memory of ingesting 50 megapixels, MB: {memory}", flush=True)
        small, small_ingest = ingested(rated)
        large, large_ingest = ingested(photos.large(Path(folder)))
    by_kind = {"small": [costs(copy) for copy in small], "large": [costs(copy) for copy in large]}
    report(f"{len(small)} rated photos", medians(by_kind["small"]), small_ingest)
    report(f"{len(large)} photos of 12 to 20 megapixels", medians(by_kind["large"]), large_ingest)
    answer = {
        **medians(by_kind["small"] + by_kind["large"]),
        "ingest_large_ms": large_ingest,
        "peak_rss_mb_50mp": max(memory.values()),
        **{f"peak_rss_mb_50mp_{coding}": peak for coding, peak in memory.items()},
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
