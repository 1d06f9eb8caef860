"""Notices: what has come to its end, on the stage's SNS topic, for the inbox and for whoever else subscribes.

{"version": 1, "kind": ..., "account": ...} and ids alone: "ranking_complete" with `ranking`, "model_trained" with
`model`, `model_version` and `state`, "campaign_completed" with `campaign`. Who hears of one reads the rest for itself.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from chalicelib import aws
from chalicelib.settings import settings


def ranking_complete(account: str, ranking: str) -> None:
    """Tell once more rather than never: EventBridge may deliver twice, and the id lets a reader tell."""
    _publish("ranking_complete", account, ranking=ranking)


def model_trained(event: Mapping[str, Any]) -> None:
    """What `bus.ModelTrained` says, told once more rather than never, too."""
    about = {"model": event["model"], "model_version": event["model_version"], "state": event["state"]}
    _publish("model_trained", event["account"], **about)


def campaign_completed(account: str, campaign: str) -> None:
    """Told once more rather than never, as well."""
    _publish("campaign_completed", account, campaign=campaign)


def read(message: str) -> dict[str, Any]:
    """A notice as SNS carries it."""
    return msgspec.json.decode(message, type=dict[str, Any])


def _publish(kind: str, account: str, **about: Any) -> None:
    notice = {"version": 1, "kind": kind, "account": account, **about}
    aws.sns().publish(TopicArn=settings().notices_topic, Message=msgspec.json.encode(notice).decode())
