"""What gives way first: python -m tools.scale

Measures what one photo uses (as tools/cost.py does), multiplies by 1 million, 100 million and 10 billion photos a month
with a peak of ten times the mean, and compares with AWS's default quotas in tools/quotas.json. All photos are taken to
be of one account, which is the worst case for its partitions. The last line is one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools.cost import READS, REQUEST_MS, WRITES, Usage, run, sample_photos, total

QUOTAS = json.loads((Path(__file__).parent / "quotas.json").read_text())["quotas"]
LOADS = (10**6, 10**8, 10**10)
SECONDS_A_MONTH = 2_628_000
PEAK = 10
# Index writes of one photo, counted in the code: an entry is moved (two units) when its key or state changes.
LIST_WRITES = 4  # made; processing; ready, each with its entry rewritten
SWEEP_WRITES = 6  # made; moved when ingested; moved when processed again or postponed; removed when scored


def demands(usage: Usage, photos: int) -> dict[str, float]:
    """What one photo asks for, by the names of the quotas."""
    requests = usage.requests
    waited = sum(usage.waits.values()) * REQUEST_MS
    measured = {
        "api_requests": usage.invocations["api_handler"],
        "lambda_seconds": (sum(usage.cpu_ms.values()) + waited) / 1000,
        "events": requests["events.PutEvents"],
        "write_units": total(requests, WRITES),
        "read_units": total(requests, READS),
        "s3_writes": requests["s3.PutObject"] + photos,  # the upload itself
    }
    each = {name: value / photos for name, value in measured.items()}
    return {**each, "list_writes": LIST_WRITES, "sweep_writes": SWEEP_WRITES}


def main() -> int:
    photos = sample_photos()
    usage = run(photos).ranked
    each = demands(usage, len(photos))
    first = {}
    for load in LOADS:
        peak = load / SECONDS_A_MONTH * PEAK
        shares = sorted(((peak * each[quota["demand"]] / quota["limit"], quota) for quota in QUOTAS), key=share)
        print(f"\n{load:,} photos a month, {peak:,.1f} a second at the peak")
        for part, quota in shares:
            print(f"  {part:10.1%} of {quota['limit']:>6,} {quota['what']:48} {quota['source']}")
        first[str(load)] = {"what": shares[0][1]["what"], "share": round(shares[0][0], 3)}
    print(json.dumps({"per_photo": {name: round(value, 3) for name, value in each.items()}, "first": first}))
    return 0


def share(row: tuple[float, dict[str, object]]) -> float:
    return -row[0]


if __name__ == "__main__":
    sys.exit(main())
