"""Long polls of SQS that end with their client.

ministack goes on with a poll whose client has gone, and hands the next message to nobody. Here a poll ends with its
connection, so that whoever polls may wait long and stop at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
RECEIVE = b"AmazonSQS.ReceiveMessage"


class LongPolls:
    """ministack's app, told when the client of a poll has gone."""

    def __init__(self, app: App):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or dict(scope["headers"]).get(b"x-amz-target") != RECEIVE:
            await self.app(scope, receive, send)
            return
        request = await _whole(receive)
        async with asyncio.TaskGroup() as group:
            # ministack sleeps between two looks at the queue; a poll that is canceled there has taken nothing.
            poll = group.create_task(self.app(scope, lambda: _next(request), send))
            leaving = group.create_task(_gone(receive))
            leaving.add_done_callback(lambda _: poll.cancel())
            poll.add_done_callback(lambda _: leaving.cancel())


async def _whole(receive: Any) -> list[Any]:
    """The messages of a request, to its end."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


async def _next(messages: list[Any]) -> Any:
    return messages.pop(0)


async def _gone(receive: Any) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
