"""Message templates: Jinja2's grammar, of which only a short list is allowed.

    Hi {{ attributes.first_name|default("there") }}, you have {{ standing.points }} points
    {%- if standing.movement > 0 %} and climbed {{ standing.movement }} places{% endif %}.

what        which
variables   recipient.id, campaign.name, standing.points rank level movement badges, attributes.name or ["a name"]
statements  if, elif, else
conditions  == != < <= > >= in, not in, and, or, not, is defined, x if y else z
constants   texts, numbers, true, false, and lists of them
filters     default upper lower capitalize title trim truncate join first last length abs round

Jinja2 reads a template and never runs one: what it read becomes closures by a table of the nodes above, and what is not
in that table is refused, such as loops, calls and arithmetic. A variable is looked up in plain mappings and nowhere
else. So a rendering takes time in proportion to the template and its values, whoever wrote it.

An absent value, and null, is missing: a rendering fails without it, unless `default` or `is defined` allows for that.
The text is plain. Nothing is escaped; control characters and marks that turn the direction of writing are removed;
accents are composed, which keeps é in the alphabet of SMS; space around the whole is stripped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.push.grammar import ATTRIBUTES, DEEPEST, FIXED, Reader, Texts, Use, Values, similar
from chalicelib.push.grammar import MissingValue as MissingValue  # callers need not know the grammar
from chalicelib.push.grammar import TemplateError as TemplateError

if TYPE_CHECKING:
    from jinja2 import nodes

    from chalicelib.push.game import Standing

SMS = 1600  # characters, the most that SNS takes
PUSH = 4096  # characters; `platforms` sees to the bytes
DEEPEST_BLOCKS = 10
STATEMENTS = ("if", "elif", "else", "endif")

ANY_ATTRIBUTE = "attributes.*"

LINE_ENDS = "\r\n?|[\u0085\u2028\u2029]"
CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"


class Template:
    """A template that was read. names: all its variables. optional: those that may be missing wherever they stand."""

    def __init__(self, uses: list[Use], texts: Texts):
        self.uses = tuple(uses)
        self.names = frozenset(use.name for use in uses)
        self.optional = self.names - {use.name for use in uses if not use.guarded}
        self._texts = texts

    def render(self, values: Values, longest: int = SMS) -> str:
        """The text for one recipient, 1 to `longest` characters; `values()` makes the values.

        Raises MissingValue, or TemplateError where a value is of the wrong kind or the text is empty or too long.
        """
        pieces, size = [], 0
        for piece in self._texts(values):
            pieces.append(piece)
            size += len(piece)
            if size > 2 * longest:
                raise _too_long(longest)
        text = plain("".join(pieces))
        if not text:
            raise TemplateError("The text is empty for this recipient.")
        if len(text) > longest:
            raise _too_long(longest)
        return text


def compile(text: str, longest: int = SMS) -> Template:  # noqa: A001 - as in `re`
    """Read a template of at most `longest` characters. Raises TemplateError."""
    if len(text) > min(longest, PUSH):
        raise TemplateError(f"A template has at most {longest:,} characters; this one has {len(text):,}.")
    if not text.strip():
        raise TemplateError("The template is empty.")
    reader = Reader()
    texts = reader.block(_read(text).body, 0)
    return Template(reader.uses, texts)


def check(text: str, known: Collection[str], longest: int = SMS) -> Template:
    """Read a template, and refuse attributes that nobody has.

    known: as {"attributes.first_name"}; "attributes.address.*" is all in one, ANY_ATTRIBUTE whatever there is. What
    stands only with a `default` or in "is defined" need not be known.
    Raises TemplateError, naming the variable and its line.
    """
    template = compile(text, longest)
    for use in template.uses:
        if not (use.guarded or use.name in FIXED or _known(use.name, known)):
            raise TemplateError(f"No recipient has {use.name}.{similar(use.name, known)}", use.line, use.name)
    return template


def values(recipient: str, attributes: Values, standing: Standing | None, campaign: str) -> dict[str, Any]:
    """What a template is rendered with. Without a standing, all of standing is missing."""
    return {
        "recipient": {"id": recipient},
        ATTRIBUTES: dict(attributes),
        "standing": {} if standing is None else msgspec.structs.asdict(standing),
        "campaign": {"name": campaign},
    }


def plain(text: str) -> str:
    """Without control characters other than line ends, composed, and stripped."""
    import re
    import unicodedata

    text = re.sub(CONTROL, "", re.sub(LINE_ENDS, "\n", text)).replace("\t", " ")
    return unicodedata.normalize("NFC", text).strip()


def _too_long(longest: int) -> TemplateError:
    return TemplateError(f"The text has more than {longest:,} characters for this recipient.")


def _known(name: str, known: Collection[str]) -> bool:
    keys = name.split(".")
    return name in known or any(".".join([*keys[:count], "*"]) in known for count in range(1, len(keys)))


# Reading


def _read(text: str) -> nodes.Template:
    from jinja2 import Environment, TemplateSyntaxError

    # Nothing is rendered by this environment, and what is rendered is no HTML.
    environment = Environment()  # noqa: S701
    try:
        _refuse(environment.lex(text))
        return environment.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateError(f"This is not understood: {(error.message or '').rstrip('.')}.", error.lineno) from None


def _refuse(tokens: Iterator[tuple[int, str, str]]) -> None:
    """Statements that are none of ours, and what Jinja2's parser would go so deep for that it runs out of stack."""
    levels = blocks = 0
    before = ""
    for line, kind, word in tokens:
        if kind == "whitespace":
            continue
        if before == "block_begin":
            _refuse_statement(word, line)
            blocks += (word == "if") - (word == "endif")
        levels = 0 if kind.endswith("_begin") else levels + _goes_deeper(kind, word)
        if levels > DEEPEST or blocks > DEEPEST_BLOCKS:
            raise TemplateError("This is nested too deeply.", line)
        before = kind


def _refuse_statement(word: str, line: int) -> None:
    if word not in STATEMENTS:
        raise TemplateError(f"The statement {word[:20]} is not allowed; {', '.join(STATEMENTS)} are.", line)


def _goes_deeper(kind: str, word: str) -> bool:
    return (kind == "operator" and word in "([{+-") or (kind == "name" and word in ("not", "if"))
