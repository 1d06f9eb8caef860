"""What resizing costs and how good it looks, beside sharp, pyvips and the least that libjpeg-turbo needs.

Twelve photos of 6 to 20 megapixels (bench/resize_photos.py) to JPEG of quality 80, 320, 800 and 1600 pixels wide. Each
engine is one process that keeps running; all are pinned to one core and take turns, in the reverse order every second
round. Times are CPU milliseconds of all threads, medians of the rounds after a warm-up; a ratio is the geometric mean
over photos and widths. Quality is the mean difference in points of SSIMULACRA2 (bench/resize_judge.py).

cpu_vs_sharp cpu_vs_pyvips cpu_vs_floor   profile fast beside their defaults, and decode and encode alone
quality_vs_sharp hq_quality_vs_sharp      points, profile fast and hq
ladder_vs_sharp                           six widths from one original beside six calls of sharp
ladder_quality_vs_render                  points, the ladder's 320 pixels beside `render`'s own
webp_vs_sharp                             WebP of quality 80, both with effort 4
peak_rss_mb                               20 megapixels to 800 pixels, over the `interpreter_rss_mb` of a bare one
overhead_ms                               the request's handling beside the codecs (bench/resize_overhead.py)

sharp and the rest are installed for this benchmark alone, in build/bench-resize. `--quick`: four photos, three rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from bench import resize_overhead, resize_photos, resize_tools

type Cell = tuple[str, int]  # photo, width
type Medians = dict[str, dict[Cell, float]]

WIDTHS = (320, 800, 1600)
JUDGED_WIDTHS = (320, 800)
LADDER = (160, 320, 640, 960, 1280, 1600)
ROUNDS = 5
QUICK_PHOTOS, QUICK_ROUNDS = 4, 3
# A child's ru_maxrss starts at its parent's, so Linux's own mark of this address space is read.
RENDER_ALONE = """
import sys
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
bare = peak()
from chalicelib.delivery.operations import Operations
from chalicelib.delivery.render import render
render(open(sys.argv[1], "rb").read(), Operations(w=800), "jpg")
print(bare, peak())
"""


class Worker:
    """One engine's process: a line of JSON in, a line out."""

    def __init__(self, command: Sequence[str], *, judging: bool = False):
        environment = resize_tools.environment(judging=judging)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None  # noqa: S101 - both are pipes
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(self.process.args)} ended at {request}")  # type: ignore[arg-type]
        return dict(json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


class Race:
    """Engines that take turns. Their first pictures, made to warm up, are left in `folder` to be judged."""

    def __init__(self, workers: dict[str, Worker], folder: Path, rounds: int):
        self.workers, self.folder, self.rounds = workers, folder, rounds

    def run(self, engines: Sequence[str], photo: Path, widths: Sequence[int], format: str) -> dict[str, float]:
        """Median milliseconds by engine."""
        request = {"photo": str(photo), "widths": widths, "format": format}
        for engine in engines:
            self.make(engine, engine if len(widths) == 1 else "ladder", **request)
        times: dict[str, list[float]] = {engine: [] for engine in engines}
        for each in range(self.rounds):
            for engine in engines[:: 1 if each % 2 else -1]:
                times[engine].append(self.workers[engine].ask(**request)["cpu_ms"])
        return {engine: statistics.median(taken) for engine, taken in times.items()}

    def make(self, engine: str, name: str, **request: Any) -> None:
        photo = Path(request["photo"]).stem
        self.workers[engine].ask(**request, save=str(self.folder / f"{name}-{photo}-{{width}}.{request['format']}"))


def geometric_mean_ratio(mine: dict[Cell, float], others: dict[Cell, float]) -> float:
    """Of the cells that both have."""
    return round(math.exp(statistics.mean(math.log(mine[cell] / others[cell]) for cell in mine.keys() & others)), 3)


def mean_difference(mine: dict[Cell, float], others: dict[Cell, float]) -> float:
    """In points, over the cells that both have."""
    return round(statistics.mean(mine[cell] - others[cell] for cell in mine.keys() & others), 2)


def raced(race: Race, engines: Sequence[str], photos: Iterable[Path], format: str) -> Medians:
    medians: Medians = {engine: {} for engine in engines}
    for photo in photos:
        for width in WIDTHS:
            for engine, milliseconds in race.run(engines, photo, [width], format).items():
                medians[engine][photo.stem, width] = milliseconds
    return medians


def ladders(race: Race, photos: Iterable[Path]) -> Medians:
    medians: Medians = {"proofsheet": {}, "sharp": {}}
    for photo in photos:
        for engine, milliseconds in race.run(list(medians), photo, LADDER, "jpg").items():
            medians[engine][photo.stem, 0] = milliseconds
    return medians


def judged(photos: Sequence[Path], names: Mapping[str, Sequence[int]], folder: Path) -> Medians:
    """Points of the pictures `{name}-{photo}-{width}.jpg`, the photos shared out among the processor's cores."""

    def judge(photo: Path) -> list[tuple[str, int, float]]:
        with Worker(resize_tools.python("bench.resize_judge"), judging=True) as worker:
            return [
                (
                    name,
                    width,
                    worker.ask(photo=str(photo), picture=f"{folder}/{name}-{photo.stem}-{width}.jpg")["score"],
                )
                for name, widths in names.items()
                for width in widths
            ]

    points: Medians = {name: {} for name in names}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for photo, scores in zip(photos, pool.map(judge, photos), strict=True):
            for name, width, score in scores:
                points[name][photo.stem, width] = score
    return points


def memory(photo: Path) -> dict[str, float]:
    command = [sys.executable, "-c", RENDER_ALONE, str(photo)]
    measured = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(3)]
    bare, peak = (statistics.median(int(each[at]) for each in measured) / 1000 for at in (0, 1))
    return {"peak_rss_mb": round(peak - bare, 1), "interpreter_rss_mb": round(bare, 1)}


def measure(photos: Sequence[Path], rounds: int, folder: Path) -> dict[str, Any]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})  # inherited by every thread of the workers
    with (
        Worker([sys.executable, "-m", "bench.resize_worker", "proofsheet"]) as ours,
        Worker(["node", "--expose-gc", "bench/resize_sharp.js"]) as sharp,
        Worker(resize_tools.python("bench.resize_worker", "pyvips")) as pyvips,
        Worker(resize_tools.python("bench.resize_worker", "floor")) as floor,
    ):
        race = Race({"proofsheet": ours, "sharp": sharp, "pyvips": pyvips, "floor": floor}, folder, rounds)
        jpg = raced(race, ["proofsheet", "sharp", "pyvips", "floor"], photos, "jpg")
        report("JPEG", jpg)
        webp = raced(race, ["proofsheet", "sharp"], photos, "webp")
        report("WebP", webp)
        ladder = ladders(race, photos)
        for photo in photos:
            for width in JUDGED_WIDTHS:
                race.make("proofsheet", "hq", photo=str(photo), widths=[width], format="jpg", profile="hq")
    os.sched_setaffinity(0, cores)
    names = {"proofsheet": WIDTHS, "sharp": WIDTHS, "hq": JUDGED_WIDTHS, "ladder": (320,)}
    return answer(jpg, webp, ladder, judged(photos, names, folder))


def answer(jpg: Medians, webp: Medians, ladder: Medians, points: Medians) -> dict[str, Any]:
    ratios = {f"cpu_vs_{other}": geometric_mean_ratio(jpg["proofsheet"], jpg[other]) for other in jpg}
    by_width = {
        width: geometric_mean_ratio(at_width(jpg["proofsheet"], width), at_width(jpg["sharp"], width))
        for width in WIDTHS
    }
    return {
        **{name: ratio for name, ratio in ratios.items() if name != "cpu_vs_proofsheet"},
        "sharp_vs_floor": geometric_mean_ratio(jpg["sharp"], jpg["floor"]),
        "cpu_vs_sharp_by_width": by_width,
        "quality_vs_sharp": mean_difference(points["proofsheet"], points["sharp"]),
        "hq_quality_vs_sharp": mean_difference(points["hq"], points["sharp"]),
        "ladder_vs_sharp": geometric_mean_ratio(ladder["proofsheet"], ladder["sharp"]),
        "ladder_quality_vs_render": mean_difference(points["ladder"], points["proofsheet"]),
        "webp_vs_sharp": geometric_mean_ratio(webp["proofsheet"], webp["sharp"]),
    }


def at_width(medians: dict[Cell, float], width: int) -> dict[Cell, float]:
    return {cell: value for cell, value in medians.items() if cell[1] == width}


def report(title: str, medians: Medians) -> None:
    """CPU milliseconds, the mean over photos."""
    for engine, cells in medians.items():
        means = [statistics.mean(at_width(cells, width).values()) for width in WIDTHS]
        print(f"{title} {engine:10} " + " ".join(f"@{w} {ms:6.1f}" for w, ms in zip(WIDTHS, means, strict=True)))
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="Resizing beside sharp and pyvips.")
    parser.add_argument("--quick", action="store_true", help="four photos, three rounds")
    quick = parser.parse_args().quick
    try:
        folder = resize_tools.prepared()
    except resize_tools.Unavailable as why:
        print(why, file=sys.stderr)
        return 2
    photos = resize_photos.paths(folder / "photos")
    measured = memory(resize_photos.largest(folder / "photos"))
    chosen = photos[:: len(photos) // QUICK_PHOTOS] if quick else photos
    (folder / "made").mkdir(exist_ok=True)
    results = measure(chosen, QUICK_ROUNDS if quick else ROUNDS, folder / "made")
    print(json.dumps({**results, **measured, "overhead_ms": round(resize_overhead.measure(), 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
