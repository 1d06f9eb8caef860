"""What tracked events cost: processor time from request to queue and from queue to counters, DynamoDB's write units,
and what `/best` loses by having to learn.

Times are CPU seconds of this process. The SQS calls go to an emulator of their own, boto3's and ours in turns. Write
units and regret are simulated, by the very functions that lay out pages and choose images:

- Write units: 10,000 images by Zipf's law, each in a ranking; requests of 10 events; a consumer run every 20 s. The
  hour's marks and rows are part of it. `five_pollers`: as when Lambda's five pollers split every window between them.
- Regret: clicks lost against always showing the best image, as a share of what uniform choice loses. 20 images whose
  rates are Beta-distributed (mean 3 %, standard deviation 1.5 %), scores that correlate 0.5 with the logarithm of the
  rate, 10,000 impressions, 70 in a slice of ten minutes (a day), mean of 200 catalogues. `uninformed`: scores that
  correlate 0; `misled`: -0.5.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chalicelib import ids
from chalicelib.tracking import best, consume, counts, envelope, intake, pages, rollup
from localcloud import emulator, stack
from localcloud.run import Ports

ACCOUNT = "a234567abcdefghij"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EVENTS_A_REQUEST = 10
REPETITIONS = 9
REQUESTS = 300
MESSAGES = 1000  # in a consumer's batch
ROUNDS, CALLS = 7, 120
IMAGES = 10_000
WINDOW_SECONDS = 20
MONTH_SECONDS = 30 * 86400
VOLUMES = {"1M": 1_000_000, "10M": 10_000_000, "100M": 100_000_000}
CATALOGUES, VIEWS, VIEWS_A_SLICE, ARMS = 200, 10_000, 70, 20
MEAN_RATE, SPREAD = 0.03, 0.5  # of the rates: mean, and standard deviation over the mean


def main() -> None:
    bodies = requests(REQUESTS)
    messages = [text for body in requests(MESSAGES) for text in handle(body)]
    handler = rate(lambda: [handle(body) for body in bodies], REQUESTS * EVENTS_A_REQUEST)
    print(f"handler without I/O: {handler:,.0f} events/s at {EVENTS_A_REQUEST} events a request")
    yardstick = rate(lambda: [msgspec.json.decode(body) for body in bodies], REQUESTS * EVENTS_A_REQUEST)
    print(f"this machine now, for comparison: msgspec reads the same JSON at {yardstick:,.0f} events/s")
    consumer = rate(lambda: consume_without_io(messages), MESSAGES * EVENTS_A_REQUEST)
    print(f"consumer without I/O: {consumer:,.0f} events/s in batches of {MESSAGES} messages")
    sqs = queue_calls(bodies[:CALLS])
    print("with the SQS call: {ours:.0f} requests/s, with boto3's {boto3:.0f}".format(**sqs))
    units = {name: write_units(volume / MONTH_SECONDS) for name, volume in VOLUMES.items()}
    split = {name: write_units(volume / MONTH_SECONDS, pollers=5) for name, volume in VOLUMES.items()}
    print(f"write units an event: {units}; with five pollers {split}")
    regrets = {name: regret(correlation) for name, correlation in (("", 0.5), ("uninformed", 0.0), ("misled", -0.5))}
    print(f"regret over uniform choice's: {regrets}")
    answer = {
        "handler_events_per_s": round(handler),
        "handler_with_sqs_vs_boto3": round(sqs["ours"] / sqs["boto3"], 2),
        "handler_with_sqs_events_per_s": round(sqs["ours"] * EVENTS_A_REQUEST),
        "consumer_events_per_s": round(consumer),
        "json_decode_events_per_s": round(yardstick),
        "write_units_per_event": units,
        "write_units_per_event_five_pollers": split,
        "best_regret_vs_uniform": regrets[""]["best"],
        "first_regret_vs_uniform": regrets[""]["first"],
        "best_regret_uninformed": regrets["uninformed"]["best"],
        "best_regret_misled": regrets["misled"]["best"],
    }
    print(json.dumps(answer))


# Processor time


def requests(number: int) -> list[bytes]:
    """Bodies as the browser's script sends them, of images by Zipf's law."""
    chance = np.random.default_rng(number)
    now = time.time()
    images = [ids.new_id(now) for _ in range(IMAGES)]
    rankings = [ids.new_id(now) for _ in range(IMAGES // 20)]
    shown = iter(zipf(chance, number * EVENTS_A_REQUEST))

    def body() -> bytes:
        batch = [event(images, rankings, int(next(shown)), now, chance) for _ in range(EVENTS_A_REQUEST)]
        context = {"page": {"url": "https://shop.example/autumn?page=2"}}
        return msgspec.json.encode({"batch": batch, "sentAt": stamp(now), "context": context})

    return [body() for _ in range(number)]


def event(images: list[str], rankings: list[str], image: int, now: float, chance: np.random.Generator) -> Any:
    place = int(chance.integers(1, 20))
    return {
        "messageId": best.uuid7(int(now * 1000), chance.bytes(10)),
        "type": "track",
        "event": "Image Clicked" if chance.random() < MEAN_RATE else "Image Viewed",
        "anonymousId": "0197f2a0-7c1e-7b3a-9d5e-3f1c2b4a5d6e",
        "timestamp": stamp(now - 2),
        "properties": {"image": images[image], "ranking": rankings[image // 20], "position": place},
    }


def stamp(second: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(second))


def zipf(chance: np.random.Generator, number: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Numbers of images: the nth is shown 1/n as often as the first."""
    weights = 1 / np.arange(1, IMAGES + 1)
    return chance.choice(IMAGES, number, p=weights / weights.sum())


def handle(body: bytes) -> list[str]:
    source = intake.Source(ACCOUNT, "wk", "203.0.113.77", AGENT, int(time.time() * 1000))
    return envelope.pack(ACCOUNT, intake.read_batch(body, source))


def consume_without_io(messages: list[str]) -> None:
    """What a consumer does with a batch, short of asking AWS: parse, compress for the archive, sort into pages."""
    parcels, _ = consume.sort(messages, [str(number) for number in range(len(messages))])
    for parcel in parcels:
        for _ in consume.archived(parcel, "batch"):
            pass
        collected = counts.collect(parcel.account, parcel.events, [pages.FIRST_LAYOUT])
        for sets in collected.pages.values():
            for _ in pages.runs(sets, consume.ATTRIBUTES_AN_UPDATE):
                pass


def rate(work: Callable[[], object], events: int) -> float:
    """Events a CPU second, median."""
    work()
    return events / statistics.median(cpu_seconds(work) for _ in range(REPETITIONS))


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


# The queue


def queue_calls(bodies: list[bytes]) -> dict[str, float]:
    """Requests a CPU second, handled and queued by our call and by boto3's; in turns, medians."""
    import boto3

    with cloud():
        from chalicelib import bus
        from chalicelib.tracking import queue

        client, url = boto3.client("sqs"), bus.queue_url(queue.QUEUE)

        def plainly(texts: list[str]) -> None:
            for text in texts:
                client.send_message(QueueUrl=url, MessageBody=text)

        ways = {"ours": queue.send, "boto3": plainly}
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS + 1):
            for name, send in ways.items():
                took[name].append(cpu_seconds(partial(send_all, send, bodies)))
    return {name: len(bodies) / statistics.median(seconds[1:]) for name, seconds in took.items()}


def send_all(send: Callable[[list[str]], None], bodies: list[bytes]) -> None:
    for body in bodies:
        send(handle(body))


@contextmanager
def cloud() -> Iterator[None]:
    """An emulator with the stage's resources, and this process's settings pointing to it."""
    port = Ports.free().emulator
    endpoint = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as state:
        command = [
            sys.executable,
            "-m",
            "localcloud.emulator",
            "--port",
            str(port),
            "--state",
            str(Path(state, "state")),
        ]
        running = subprocess.Popen(command)
        try:
            wait_for(endpoint + emulator.HEALTH)
            outputs = stack.deploy(endpoint)
            os.environ.update(stack.environment(endpoint, outputs, invoke_url=endpoint))
            yield
        finally:
            running.terminate()
            running.wait()


def wait_for(url: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - our own emulator
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


# Write units


def write_units(events_a_second: float, pollers: int = 1) -> float:
    """An event's share of what an hour writes, in the layout that the hours before led to."""
    chance = np.random.default_rng(1)
    layout = pages.FIRST_LAYOUT
    for _ in range(3):
        units, hour_bytes, number = an_hour(chance, layout, events_a_second, pollers)
        layout = pages.next_layout(0, hour_bytes, layout)
    return round(units / number, 3)


def an_hour(
    chance: np.random.Generator, layout: pages.Layout, events_a_second: float, pollers: int
) -> tuple[int, int, int]:
    """(write units, bytes of its pages, events)."""
    number = int(events_a_second * pages.HOUR)
    seconds = np.sort(chance.uniform(0, pages.HOUR, number))
    names = [pages.attribute("c" if click else "i", *known(int(image))) for image, click in shown(chance, number)]
    # Those of one request, which is one message, come to one poller.
    windows = (seconds // WINDOW_SECONDS).astype(int) * pollers
    windows += np.repeat(chance.integers(0, pollers, number // EVENTS_A_REQUEST + 1), EVENTS_A_REQUEST)[:number]
    sizes: dict[pages.Page, dict[str, int]] = {}
    units = 0
    for run in np.unique(windows):
        added: dict[pages.Page, list[str]] = {}
        for place in np.flatnonzero(windows == run):
            name = names[place] or ""
            page = pages.page_of(layout, int(seconds[place]), name[1 : 1 + pages.ID_LENGTH])
            added.setdefault(page, []).append(name)
        units += sum(add(sizes.setdefault(page, {}), mine) for page, mine in added.items())
    hour_bytes = sum(pages.page_bytes(page) for page in sizes.values())
    return units + closing(sizes.values()), hour_bytes, number


def shown(chance: np.random.Generator, number: int) -> Iterator[tuple[int, bool]]:
    return zip(zipf(chance, number).tolist(), (chance.random(number) < MEAN_RATE).tolist(), strict=True)


def known(image: int) -> tuple[str, str]:
    """The ids of an image and of its ranking."""
    return f"{image:026d}", f"{image // 20:026d}"


def add(page: dict[str, int], names: list[str]) -> int:
    """Units of adding to a page; every update of an item costs the whole of it."""
    distinct = sorted(set(names))
    units = 0
    for start in range(0, len(distinct), consume.ATTRIBUTES_AN_UPDATE):
        for name in distinct[start : start + consume.ATTRIBUTES_AN_UPDATE]:
            page[name] = page.get(name, 0) + names.count(name)
        units += math.ceil(pages.page_bytes(page) / 1024)
    return units


def closing(sizes: Any) -> int:
    """Units of an hour's rows, and of its mark: put and removed, in the table and in the index."""
    tallies: counts.Tallies = {}
    for page in sizes:
        counts.merge(tallies, counts.tally(page.items()))
    rows = sum(math.ceil((len(packed) + 100) / 1024) for _, _, packed in rollup.rows(tallies, "H#2026-11-22T10"))
    return rows + 4


# Regret


def regret(correlation: float) -> dict[str, float]:
    """Clicks lost by `best`, and by always showing the image with the highest score, over those of uniform choice."""
    lost = np.array([one_catalogue(seed, correlation) for seed in range(CATALOGUES)]).mean(0)
    return {"best": round(float(lost[0] / lost[2]), 3), "first": round(float(lost[1] / lost[2]), 3)}


def one_catalogue(seed: int, correlation: float) -> tuple[float, float, float]:
    """Clicks lost by best, first and uniform."""
    chance = np.random.default_rng(seed)
    alpha = (1 - MEAN_RATE) / SPREAD**2 - MEAN_RATE
    rates = chance.beta(alpha, alpha * (1 - MEAN_RATE) / MEAN_RATE, ARMS)
    logs = np.log(rates)
    noise = math.sqrt(1 - correlation**2) * chance.standard_normal(ARMS)
    normal = correlation * (logs - logs.mean()) / logs.std() + noise
    scores = {str(arm): 100 * statistics.NormalDist().cdf(value) for arm, value in enumerate(normal.tolist())}
    shown = np.zeros(ARMS, int)
    clicks = np.zeros(ARMS, int)
    while (left := VIEWS - shown.sum()) > 0:
        pairs = zip(shown.tolist(), clicks.tolist(), strict=True)
        arms = best.posteriors(scores, {str(arm): pair for arm, pair in enumerate(pairs)})
        draws = chance.beta([arm.alpha for arm in arms], [arm.beta for arm in arms], (min(left, VIEWS_A_SLICE), ARMS))
        chosen = draws.argmax(1)
        np.add.at(shown, chosen, 1)
        np.add.at(clicks, chosen, chance.random(len(chosen)) < rates[chosen])
    losses = rates.max() - rates
    return float(shown @ losses), float(VIEWS * losses[normal.argmax()]), float(VIEWS * losses.mean())


if __name__ == "__main__":
    main()
