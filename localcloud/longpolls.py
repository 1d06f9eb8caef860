"""Long polls of SQS that end with their client.

ministack goes on with a poll whose client has gone, and hands the next message to nobody. Here a poll ends with its
connection, so that whoever polls may wait long and stop at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from localcloud.asgi import App, whole

RECEIVE = b"AmazonSQS.ReceiveMessage"


class LongPolls:
    """ministack's app, told when the client of a poll has gone."""

    def __init__(self, app: App):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or dict(scope["headers"]).get(b"x-amz-target") != RECEIVE:
            await self.app(scope, receive, send)
            return
        request = {"type": "http.request", "body": await whole(receive), "more_body": False}

        async def read() -> Any:
            return request

        async def ask() -> None:
            await self.app(scope, read, send)

        async with asyncio.TaskGroup() as group:
            # ministack sleeps between two looks at the queue; a poll that is canceled there has taken nothing.
            poll = group.create_task(ask())
            leaving = group.create_task(_gone(receive))
            leaving.add_done_callback(lambda _: poll.cancel())
            poll.add_done_callback(lambda _: leaving.cancel())


async def _gone(receive: Any) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
