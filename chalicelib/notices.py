"""In-app notices: what a user is told, on the stage's SNS topic."""

import msgspec

from chalicelib import aws
from chalicelib.settings import settings


def ranking_complete(account: str, ranking: str) -> None:
    """Tell once more rather than never: EventBridge may deliver twice, and the id lets a reader tell."""
    notice = {"version": 1, "kind": "ranking_complete", "account": account, "ranking": ranking}
    aws.sns().publish(TopicArn=settings().notices_topic, Message=msgspec.json.encode(notice).decode())
