"""How long photos take from the first byte uploaded to the ranking `complete`, for 50, 100 and 200 of them.

A local cloud of its own, on free ports and with fresh state, is driven as any client would drive it. A photo's own
time runs from the end of its upload until its score, which the bucket's time of its training record tells: asking the
API for each photo again and again would slow down what is measured.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from localcloud.clients import client as aws
from localcloud.run import Cloud, Ports, cloud
from tools.client import Client, Sent
from tools.connection import demo_token

PHOTOS = Path(os.environ.get("PROOFSHEET_DATA", "../shared/data")) / "oasis" / "images"
COUNTS = (50, 100, 200)
WARM_UP = 4


@dataclass(frozen=True)
class Run:
    """uploaded_s: until the last upload was accepted. cpu_s: processor seconds by process. photo_s: of each photo."""

    photos: int
    seconds: float
    uploaded_s: float
    cpu_s: dict[str, float]
    photo_s: list[float]

    def summary(self) -> dict[str, Any]:
        return {
            "photos": self.photos,
            "seconds": round(self.seconds, 2),
            "p50_s": round(statistics.median(self.photo_s), 2),
            "p95_s": round(statistics.quantiles(self.photo_s, n=20, method="inclusive")[-1], 2),
            "uploaded_s": round(self.uploaded_s, 2),
            "cpu_s": {name: round(seconds, 1) for name, seconds in self.cpu_s.items()},
        }


def main() -> int:
    files = sorted(PHOTOS.glob("*.jpg"))
    if len(files) < max(COUNTS) + WARM_UP:
        print(f"No photos in {PHOTOS}: set PROOFSHEET_DATA to the folder that holds oasis/images.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as state, cloud(Path(state), Ports.free()) as local:
        client = Client(local.base_url, demo_token(local.env))
        measure(local, client, files[-WARM_UP:], "warm-up")
        runs = [measure(local, client, files[:count], f"bench-{count}").summary() for count in COUNTS]
    for run in runs:
        print("{photos} photos: {seconds} s, each p50 {p50_s} s, p95 {p95_s} s; CPU s {cpu_s}".format(**run))
    print(json.dumps(answer(runs)))
    return 0


def measure(local: Cloud, client: Client, files: list[Path], collection: str) -> Run:
    before, started = processor_seconds(local), time.time()
    sent = client.upload(files, collection)
    ranked = client.rank([str(photo.image) for photo in sent], name=collection)
    seconds = time.time() - started
    failed = [entry for entry in ranked.entries if entry.score is None]
    if failed:
        raise SystemExit(f"{len(failed)} photos failed: {failed[0].reason}")
    after = processor_seconds(local)
    return Run(
        photos=len(files),
        seconds=seconds,
        uploaded_s=max(photo.at for photo in sent) - started,
        cpu_s={name: after[name] - before.get(name, 0.0) for name in after},
        photo_s=photo_seconds(local, sent),
    )


def photo_seconds(local: Cloud, sent: list[Sent]) -> list[float]:
    """For each photo, the seconds from the end of its upload until its score."""
    s3 = aws("s3", local.endpoint)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=local.env["PROOFSHEET_MEDIA_BUCKET"], Prefix="records/")
    scored: dict[str, datetime] = {
        found["Key"].split("/")[2]: found["LastModified"] for page in pages for found in page.get("Contents", [])
    }
    return [scored[str(photo.image)].timestamp() - photo.at for photo in sent]


def answer(runs: list[dict[str, Any]]) -> dict[str, Any]:
    per_photo = {run["photos"]: run["seconds"] / run["photos"] for run in runs}
    return {
        "runs": runs,
        "seconds_100": next(run["seconds"] for run in runs if run["photos"] == 100),
        "growth_50_to_200": round(per_photo[200] / per_photo[50], 2),
    }


def processor_seconds(local: Cloud) -> dict[str, float]:
    """What each process of the cloud, and this one, has used so far; only this one where there is no /proc."""
    pids = {child.name: [child.process.pid] for child in (local.emulator, *local.app) if child and child.process}
    pids["workers"] = local.worker_pids
    used = {name: sum(map(_processor_seconds, group)) for name, group in pids.items()}
    return (
        {**used, "client": time.process_time()} if Path("/proc/self/stat").exists() else {"client": time.process_time()}
    )


def _processor_seconds(pid: int) -> float:
    try:
        # The fields after the command's name, which may hold spaces: user and system time are the 12th and 13th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
