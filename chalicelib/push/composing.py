"""What each recipient of a campaign gets by each channel: a text, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib import contract
from chalicelib.push import parts, template
from chalicelib.push.chunks import Row
from chalicelib.push.template import MissingValue, TemplateError

if TYPE_CHECKING:
    from chalicelib.push.game import Standing
    from chalicelib.push.recipients import Recipient

LONGEST = {"sms": template.SMS, "push": template.PUSH}
CHANNELS = {"sms": ("sms",), "push": ("push",), "both": ("sms", "push")}
LONGEST_REASON = 200


class Composer:
    """The templates of one campaign, read once. Raises TemplateError."""

    def __init__(self, request: contract.NewCampaign):
        self.name = request.name
        self.channels = CHANNELS[request.channel]
        self.templates = {
            channel: template.compile(getattr(request.template, channel), LONGEST[channel]) for channel in self.channels
        }

    @property
    def needs_standing(self) -> bool:
        return any(name.startswith("standing.") for each in self.templates.values() for name in each.names)

    def row(self, channel: str, identifier: str, recipient: Recipient | None, standing: Standing | None) -> Row:
        """planned with a text, or skipped with a reason."""
        from chalicelib.push.sending import unreachable

        reason = unreachable(recipient, channel)
        if recipient is None or reason:
            return Row(identifier, "skipped", reason=reason)
        values = template.values(recipient.id, recipient.attributes, standing, self.name)
        try:
            text = self.templates[channel].render(values, LONGEST[channel])
        except MissingValue as error:
            return Row(identifier, "skipped", reason=f"missing {(error.name or 'value').removeprefix('attributes.')}")
        except TemplateError as error:
            return Row(identifier, "skipped", reason=f"template: {error}"[:LONGEST_REASON])
        return Row(identifier, text=text, parts=parts.parts(text).parts if channel == "sms" else 1)


def known_names(attributes: dict[str, Any]) -> set[str]:
    """A recipient's attributes as `template.check` wants them."""
    nested = {f"attributes.{name}.*" for name, value in attributes.items() if isinstance(value, dict)}
    return nested | {f"attributes.{name}" for name in attributes}
