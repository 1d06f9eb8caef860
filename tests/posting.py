"""An account that has posted, for tests of a running cloud: python -m tests.posting ACCOUNT COUNT

Puts images into the table of a running cloud as the pipeline leaves them, and prints what became of their posts, which
shows a taste that the general model does not share. A process of its own, since the tests' settings lead to no cloud.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

COUNT = 60  # with so many posts, and this taste, a model passes the gate


def posted(cloud: Any, account: str, count: int = COUNT) -> list[dict[str, Any]]:
    """Posts as a request has them, one a day, of images that are in the account from now on."""
    command = [sys.executable, "-m", "tests.posting", account, str(count)]
    done = subprocess.run(command, env={**os.environ, **cloud.env}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    from chalicelib.store import AccountStore
    from tests.pipeline import posted as pipeline

    account, count, now = sys.argv[1], int(sys.argv[2]), time.time()
    found, store = pipeline.posted(count, peculiar=True), AccountStore(account)
    for image, vector in zip(found.images, found.vectors, strict=True):
        listed = {"list_pk": store.pk("image"), "list_sk": image}
        store.put_many("image", pipeline.image_rows(image, vector, now, **listed))
    sys.stdout.write(json.dumps(found.items(now)))


if __name__ == "__main__":
    main()
