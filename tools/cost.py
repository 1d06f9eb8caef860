"""What it costs: python -m tools.cost

Ranks the photos that come with scikit-image in a local cloud of its own, asks for each at three sizes, tracks events of
them, trains a model, sends campaigns, visits the dashboard, adds up what every invocation logged (processor time, AWS
requests, DynamoDB units, bytes of log), and prices that with chalicelib/prices.json, beside an idle month and the same
work on servers that always run. The last line is one JSON object.

A Lambda function is billed for the time it waits too: each AWS request is taken to last REQUEST_MS, as within a region.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen
from uuid import UUID

import yaml

if TYPE_CHECKING:
    from tools.client import Client
    from tools.model_cost import Measured

ROOT = Path(__file__).parent.parent
PRICES = json.loads((ROOT / "chalicelib" / "prices.json").read_text())
REQUEST_MS = 10
WIDTHS = (320, 800, 1600)
EVENTS = 1000
REQUEST_EVENTS = 10
COLD_START_SHARE = 0.01  # of invocations; each lasts COLD_START_MS longer
COLD_START_MS = 1500
MINUTES_A_MONTH = 43_800
# Lambda holds about five long polls of 20 seconds open on an idle queue.
POLLS_A_MONTH_AND_QUEUE = 5 * 3 * MINUTES_A_MONTH
SUFFIXES = {".jpg", ".jpeg", ".png"}
READS = ("GetItem.units", "Query.units", "BatchGetItem.units")
WRITES = (
    *("PutItem.units", "UpdateItem.units", "DeleteItem.units", "BatchWriteItem.units"),
    *("BatchExecuteStatement.units", "TransactWriteItems.units"),
)


@dataclass
class Usage:
    """What a run used, by function and by kind of request."""

    invocations: Counter[str] = field(default_factory=Counter)
    cpu_ms: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    requests_of: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    waits: Counter[str] = field(default_factory=Counter)
    log_bytes: int = 0
    metrics: set[str] = field(default_factory=set)

    def add(self, line: dict[str, Any]) -> None:
        function = line["function"].rpartition("-")[2]
        self.invocations[function] += 1
        self.cpu_ms[function] += line["cpu_ms"]
        for request, count in line["aws"].items():
            self.requests[request] += count
            self.requests_of[function][request] += count
            self.waits[function] += 0 if request.endswith(".units") else count

    def of(self, function: str) -> Usage:
        """What one function used, without its logs."""
        once, cpu, waits = (Counter({function: each[function]}) for each in (self.invocations, self.cpu_ms, self.waits))
        return Usage(once, cpu, self.requests_of[function], waits=waits)


def measure(logs: Iterable[Path]) -> Usage:
    usage = Usage()
    for log in logs:
        for text in log.read_text(errors="replace").splitlines():
            if text.startswith("{"):
                usage.log_bytes += len(text) + 1
                line = json.loads(text)
                usage.metrics |= metric_names(line)
                if line.get("message") == "invocation":
                    usage.add(line)
    return usage


def metric_names(line: dict[str, Any]) -> set[str]:
    """The custom metrics that CloudWatch makes of a line: one for each name and set of dimension values."""
    return {
        f"{metric['Name']} {[line[dimension] for dimension in declared['Dimensions'][0]]}"
        for declared in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in declared["Metrics"]
    }


def price(usage: Usage, traced: float = 0.05) -> dict[str, float]:
    """Dollars by service. Storage and traffic to the viewer are left out: they depend on how long and how often.

    traced: the share of invocations that X-Ray samples; in a stream one in twenty, and all of those that come singly.
    """
    requests, prices = usage.requests, PRICES
    invocations = sum(usage.invocations.values())
    seconds = {name: (usage.cpu_ms[name] + usage.waits[name] * REQUEST_MS) / 1000 for name in usage.invocations}
    gb_seconds = sum(value * memory_gb(name) for name, value in seconds.items())
    gb_seconds += sum(
        count * memory_gb(name) * COLD_START_SHARE * COLD_START_MS / 1000 for name, count in usage.invocations.items()
    )
    reads, writes = total(requests, READS), total(requests, WRITES)
    dollars = {
        "lambda": invocations * prices["lambda"]["request"] + gb_seconds * prices["lambda"]["gb_second"],
        "dynamodb": reads * prices["dynamodb"]["read_unit"] + writes * prices["dynamodb"]["write_unit"],
        # The browser's upload is a request too: one for each ingest.
        "s3": (total(requests, ("s3.PutObject", "s3.ListObjectsV2")) + usage.invocations["uploaded"])
        * prices["s3"]["put"]
        + total(requests, ("s3.GetObject", "s3.HeadObject")) * prices["s3"]["get"],
        # A message is sent, received and deleted.
        "sqs": 3 * requests["sqs.SendMessage"] * prices["sqs"]["request"],
        "events": requests["events.PutEvents"] * prices["events"]["event"],
        "sns": requests["sns.Publish"] * prices["sns"]["publish"],
        "api_gateway": usage.invocations["api_handler"] * prices["api_gateway"]["request"],
        "xray": invocations * traced * prices["xray"]["trace"],
        "logs": usage.log_bytes / 2**30 * prices["logs"]["gb"],
    }
    return {**dollars, "total": sum(dollars.values())}


def idle_month(sweep: Usage, metrics: int) -> dict[str, float]:
    """Dollars of a month in which next to nobody comes: sweeper, polls of idle queues, alarms, custom metrics."""
    each = price(sweep, traced=1)["total"] / sweep.invocations["sweep_standing"]
    polled = sum(1 for name in resources() if name.endswith("Queue"))
    alarms = sum(1 for resource in resources().values() if resource.get("Type") == "AWS::CloudWatch::Alarm")
    dollars = {
        "sweeper": each * MINUTES_A_MONTH,
        "polls": polled * POLLS_A_MONTH_AND_QUEUE * PRICES["sqs"]["request"],
        "alarms": alarms * PRICES["alarm"]["month"],
        "metrics": metrics * PRICES["metric"]["month"],
        "secret": PRICES["secret"]["month"],
    }
    return {**dollars, "total": sum(dollars.values())}


def memory_gb(function: str) -> float:
    """The memory that the template gives a function."""
    logical = "APIHandler" if function == "api_handler" else "".join(part.title() for part in function.split("_"))
    return float(resources()[logical]["Properties"]["MemorySize"]) / 1024


@cache
def resources() -> dict[str, Any]:
    """Everything in the templates, by logical name."""
    merged: dict[str, Any] = {}
    for template in sorted((ROOT / "infra").glob("*.yaml")):
        merged |= yaml.load(template.read_text(), Loader=Loose).get("Resources", {})  # noqa: S506 - a safe loader
    return merged


class Loose(yaml.SafeLoader):
    """CloudFormation's short tags (!Ref and the like) are of no interest here."""


Loose.add_multi_constructor("!", lambda _loader, suffix, _node: suffix)


def total(requests: Counter[str], endings: tuple[str, ...]) -> float:
    return sum(count for request, count in requests.items() if request.endswith(endings))


@dataclass
class Spent:
    """What each part of a run used: ranking the photos, variants of them, tracking EVENTS, a training, campaigns by
    channel, first visits of the dashboard, idle sweeps."""

    ranked: Usage
    resized: Usage
    tracked: Usage
    trained: Usage
    sent: dict[str, Usage]
    visited: Usage
    swept: Usage


def run(photos: list[Path]) -> Spent:
    from localcloud.run import Ports, cloud
    from tools import push_cost, visit_cost
    from tools.client import Client
    from tools.connection import demo_token

    with tempfile.TemporaryDirectory() as state, cloud(Path(state), Ports.free()) as local:
        client = Client(local.base_url, demo_token(local.env))
        images = [upload.image for upload in client.upload(photos, "cost") if upload.image]
        client.rank(images)
        ranked = measure(local.logs.glob("*.log"))
        # A site signs by itself, so that asking for the addresses does not count.
        addresses = [client.address(image, f"w{width}", "webp") for image in images for width in WIDTHS]
        signed = measure(local.logs.glob("*.log"))
        for address in addresses:
            urlopen(address, timeout=30).read()  # noqa: S310 - an address that we have just been given
        resized = measure(local.logs.glob("*.log"))
        track(client, local.base_url, images)
        tracked = measure(local.logs.glob("*.log"))
        client.learn("cost", [{"image": image, "engagement": number} for number, image in enumerate(images)])
        trained = measure(local.logs.glob("*.log"))
        send, sent = push_cost.begin(local.base_url, local.env), {}
        for channel in ("sms", "push"):
            before = measure(local.logs.glob("*.log"))
            send(channel)
            sent[channel] = difference(measure(local.logs.glob("*.log")), before)
        called = measure(local.logs.glob("*.log"))
        visit_cost.visit(local.base_url)
        idle = measure(local.logs.glob("*.log"))
        sweep_some_times(local.invoke_url)
        swept = measure(local.logs.glob("*.log"))
    return Spent(
        ranked,
        resized=difference(resized, signed),
        tracked=difference(tracked, resized),
        trained=difference(trained, tracked),
        sent=sent,
        visited=difference(idle, called),
        swept=difference(swept, idle),
    )


def track(client: Client, base_url: str, images: list[str]) -> None:
    """Send impressions of the images, REQUEST_EVENTS at a time, and wait until they are counted."""
    key = client.write_key("cost")
    for start in range(0, EVENTS, REQUEST_EVENTS):
        shown = [images[at % len(images)] for at in range(start, start + REQUEST_EVENTS)]
        events = [impression(image) for image in shown]
        body = json.dumps({"writeKey": key, "batch": events}).encode()
        request = Request(f"{base_url}/v1/e", body, {"Content-Type": "text/plain"})  # noqa: S310 - our own address
        urlopen(request, timeout=30).read()  # noqa: S310
    end = time.monotonic() + 60
    while client.impressions() < EVENTS and time.monotonic() < end:
        time.sleep(0.5)


def impression(image: str) -> dict[str, Any]:
    identity = {"messageId": uuid7(), "anonymousId": "visitor"}
    return {"type": "track", "event": "Image Impression", **identity, "properties": {"image": image}}


def uuid7() -> str:
    """A message id as the browser's script makes it."""
    bits = random.getrandbits(74)
    return str(UUID(int=int(time.time() * 1000) << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1))


def a_million_views() -> dict[str, float]:
    """Dollars of a million requests that S3 answers alone; what they carry is traffic, priced for all worlds alike."""
    return {"s3": 1_000_000 * PRICES["s3"]["get"], "total": 1_000_000 * PRICES["s3"]["get"]}


def model_lines(spent: Spent, photos: int) -> dict[str, tuple[str, dict[str, float]]]:
    """A training, and 1,000 scores by what it learned, in both homes of a model."""
    from chalicelib.training import cost, sagemaker
    from tools import model_cost

    measured = model_cost.measure()
    job = cost.job(PRICES["sagemaker"]["training_start_seconds"] + measured.training)
    asked = cost.asked(measured.score, sagemaker.MEMORY_MB)
    trained, scored = training(spent.trained, measured), own_scores(spent.ranked.of("score"), photos, measured)
    what = f"a customer's model on {model_cost.POSTS:,} posts"
    return {
        "training": (f"Training {what}", trained),
        "training_sagemaker": (f"Training {what}, at SageMaker", plus(trained, {"sagemaker": job})),
        "thousand_own_scores": ("1,000 scores by such a model, of images that are described", scored),
        "thousand_own_scores_sagemaker": (
            "1,000 scores by such a model, at SageMaker",
            plus(scored, {"sagemaker": asked}),
        ),
    }


def message_lines(spent: Spent) -> dict[str, tuple[str, dict[str, float]]]:
    """1,000 messages of a campaign by each channel."""
    from tools import push_cost

    lines = {}
    for channel, what in (("sms", "text messages, without what carriers take"), ("push", "pushes")):
        used = push_cost.with_waits(spent.sent[channel], f"send_{channel}", channel)
        dollars = [price(used.of(function)) for function in (*push_cost.OTHERS, f"send_{channel}")]
        thousand = {name: value * 1000 / push_cost.MESSAGES for name, value in plus(*dollars).items()}
        lines[f"thousand_{channel}"] = (f"1,000 {what}, of a campaign", thousand)
    return lines


def visits(used: Usage) -> dict[str, tuple[str, dict[str, float]]]:
    """1,000 people who open the dashboard for the first time."""
    from tools.visit_cost import VISITS

    thousand = {name: value * 1000 / VISITS for name, value in price(used.of("api_handler")).items()}
    requests = used.invocations["api_handler"] / VISITS
    return {"thousand_visits": (f"1,000 first visits of the dashboard, {requests:.0f} requests each", thousand)}


def training(used: Usage, measured: Measured) -> dict[str, float]:
    """Dollars of a training: what a small one used, the reads of as many posts, and the fit as measured.

    The emulator tells no units of reads in batches, so that these are not among those of the small one.
    """
    from chalicelib.training import cost

    fit = measured.training * memory_gb("train") * PRICES["lambda"]["gb_second"]
    return plus(price(used), {"lambda": fit, "dynamodb": cost.reads(measured.posts)})


def own_scores(used: Usage, photos: int, measured: Measured) -> dict[str, float]:
    """Dollars of 1,000 scores: what the worker used for the shipped model, a larger model's time, and the messages."""
    thousand = {name: value * 1000 / photos for name, value in price(used).items()}
    seconds = 1000 * measured.score * memory_gb("score")
    more = {"lambda": seconds * PRICES["lambda"]["gb_second"], "sqs": 3 * 1000 * PRICES["sqs"]["request"]}
    return plus(thousand, more)


def plus(*dollars: dict[str, float]) -> dict[str, float]:
    """The sum by service, the total last."""
    names = dict.fromkeys(name for each in dollars for name in each if name != "total")
    services = {name: sum(each.get(name, 0) for each in dollars) for name in names}
    return {**services, "total": sum(services.values())}


def sweep_some_times(invoke_url: str, times: int = 5) -> None:
    from localcloud.clients import client

    tick = {"version": "0", "id": "0", "detail-type": "Scheduled Event", "source": "aws.events", "account": "0"}
    event = json.dumps({**tick, "time": "", "region": "", "resources": [], "detail": {}})
    for _ in range(times):
        client("lambda", invoke_url).invoke(FunctionName="proofsheet-local-sweep_standing", Payload=event)


def difference(later: Usage, earlier: Usage) -> Usage:
    counters = ("invocations", "cpu_ms", "requests", "waits")
    spent = {name: getattr(later, name) - getattr(earlier, name) for name in counters}
    requests_of = {name: each - earlier.requests_of[name] for name, each in later.requests_of.items()}
    return Usage(
        **spent,
        requests_of=defaultdict(Counter, requests_of),
        log_bytes=later.log_bytes - earlier.log_bytes,
        metrics=later.metrics - earlier.metrics,
    )


def show(title: str, dollars: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in dollars.items():
        print(f"  {name:12} {value:10.4f} $")


def main() -> int:
    photos = sample_photos()
    count = len(photos)
    spent = run(photos)
    thousand = {name: value * 1000 / count for name, value in price(spent.ranked).items()}
    made = {name: value * 1000 / (count * len(WIDTHS)) for name, value in price(spent.resized).items()}
    events = {name: value * 1_000_000 / EVENTS for name, value in price(spent.tracked).items()}
    parts = [spent.ranked, spent.resized, spent.tracked, spent.trained, *spent.sent.values()]
    metrics = set[str]().union(*(part.metrics for part in parts))
    idle, servers = idle_month(spent.swept, len(metrics)), PRICES["always_on"]
    # Each part of the product adds its line here, as dollars by service for a round number of its units.
    lines = {
        "thousand_photos": ("1,000 photos uploaded, described, scored and ranked", thousand),
        "thousand_variants": (f"1,000 variants made ({', '.join(map(str, WIDTHS))} px, WebP)", made),
        "million_events": (f"1,000,000 events tracked and counted, {REQUEST_EVENTS} a request", events),
        **model_lines(spent, count),
        **message_lines(spent),
        **visits(spent.visited),
        "million_views": ("1,000,000 views of stored variants, without traffic", a_million_views()),
    }
    print(f"From {count} photos measured; list prices of {PRICES['as_of']}, {PRICES['region']}")
    for title, dollars in lines.values():
        show(title, dollars)
    show("A month in which next to nobody comes", idle)
    compare(thousand["total"], idle["total"], servers)
    answer = {name: rounded(dollars) for name, (_, dollars) in lines.items()}
    print(json.dumps({**answer, "idle_month": rounded(idle)}))
    return 0


def compare(thousand: float, idle: float, servers: dict[str, Any]) -> None:
    """Published cases claim 70 to 90 % less than servers; the answer depends on how much is used."""
    print(f"\nServers that always run: {servers['month']:.0f} $ a month, used or not ({servers['what']})")
    for photos in (10_000, 100_000, 1_000_000, 10_000_000):
        ours = idle + photos / 1000 * thousand
        print(f"  {photos:>10,} photos a month: {ours:9.2f} $, {1 - ours / servers['month']:+.0%} saved")


def rounded(dollars: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in dollars.items()}


def sample_photos() -> list[Path]:
    """Those that come with scikit-image."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]


if __name__ == "__main__":
    sys.exit(main())
