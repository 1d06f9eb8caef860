"""What callers send and get, declared once: these structs validate requests and become the OpenAPI schemas."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from chalicelib.features.schema import PROPERTIES
from chalicelib.images.limits import MAX_BYTES
from chalicelib.push.audience import Filter
from chalicelib.push.game import Rules as Rules

MAX_SCORE_BYTES = 4 * 1024 * 1024
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/avif", "image/gif", "image/tiff")

State = Literal["awaiting_upload", "processing", "ready", "failed"]
Property = Literal["quality", "color", "composition", "content", "faces"]
Domain = Literal["in", "edge", "out"]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Collection = Annotated[str, Meta(min_length=1, max_length=100)]
Identifier = Annotated[str, Meta(min_length=1, max_length=100)]
Cursor = Annotated[str, Meta(pattern="^[0-9a-z]{1,40}$")]
Limit = Annotated[int, Meta(ge=1, le=200)]
Percentile = Annotated[float, Meta(ge=0, le=100)]
Number = float | list[Any]

assert Property.__args__ == PROPERTIES  # type: ignore[attr-defined]  # noqa: S101


class Request(Struct, forbid_unknown_fields=True):
    """What a caller sends: an unknown field is refused, for it is likely a mistake."""


class Answer(Struct):
    """What a caller gets."""


class Error(Answer):
    code: str
    message: str
    field: str | None = None


class Refusal(Answer):
    error: Error


# Account


class Health(Answer):
    status: Literal["ok"]
    stage: str
    version: str


class Config(Answer):
    """What the dashboard needs to know before anybody is signed in.

    user_pool_endpoint: of a local cloud that stands in for Cognito; null on AWS.
    site_url: where delivered images are. version: of the dashboard's files.
    local: this is a local cloud, whose Cognito sends no mail and takes any code.
    """

    region: str
    user_pool: str
    user_pool_client: str
    user_pool_endpoint: str | None
    site_url: str
    stage: str
    version: str
    local: bool


class Me(Answer):
    account: str
    user: str
    roles: list[str]


class NewApiKey(Request):
    name: Name


class ApiKeyView(Answer):
    id: str
    name: str
    created_at: str
    roles: list[str]


class CreatedApiKey(ApiKeyView):
    """`key` is shown this once; only its hash is kept."""

    key: str


class NewWriteKey(Request):
    name: Name = "website"
    allowed_origins: Annotated[
        list[Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-]+(:\d{1,5})?$", max_length=200)]],
        Meta(max_length=50),
    ] = []


class WriteKey(Answer):
    key: str
    name: str
    allowed_origins: list[str]
    created_at: str


class Paging(Request):
    limit: Limit = 50
    cursor: Cursor | UnsetType = UNSET


class ApiKeys(Answer):
    items: list[ApiKeyView]
    next: str | None


class WriteKeys(Answer):
    items: list[WriteKey]
    next: str | None


# Images


class NewFile(Request):
    name: Name
    # Checked by hand, for 415 and 413; told to the reader of the contract here.
    content_type: Annotated[str, Meta(extra_json_schema={"enum": list(IMAGE_TYPES)})]
    size: Annotated[int, Meta(ge=1, extra_json_schema={"maximum": MAX_BYTES})]


class NewImages(Request):
    files: Annotated[list[NewFile], Meta(min_length=1, max_length=100)]
    collection: Collection | None = None
    use_queue: bool = True


class Upload(Answer):
    """A presigned POST: send `fields`, then `file`, to `url` as multipart form data."""

    url: str
    fields: dict[str, str]
    expires_at: str


class Slot(Answer):
    id: str
    state: Literal["awaiting_upload"]
    upload: Upload


class Slots(Answer):
    items: list[Slot]


class Process(Request):
    properties: Annotated[list[Property], Meta(min_length=1, max_length=5)] = field(
        default_factory=lambda: list(PROPERTIES)  # type: ignore[arg-type]
    )
    use_queue: bool = True


class Label(Answer):
    name: str
    probability: float


class Swatch(Answer):
    hex: str
    share: float


class Urls(Answer):
    """Signed addresses, good for an hour; null while there is nothing to show."""

    preview: str | None
    original: str | None


class Reason(Answer):
    """`effect` is in score points: what this property adds to or takes from the score, by the companion model."""

    property: str
    effect: float
    text: str


class ScoreView(Answer):
    score: Percentile
    interval: tuple[Percentile, Percentile]
    domain: Domain
    reasons: list[Reason]


class Image(Answer):
    id: str
    name: str
    collection: str | None
    state: State
    reason: str | None
    format: str | None
    width: int | None
    height: int | None
    bytes: int | None
    captured_at: str | None
    created_at: str
    properties: dict[str, dict[str, Number]]
    labels: list[Label]
    palette: list[Swatch]
    scores: dict[str, ScoreView]
    urls: Urls


class Images(Answer):
    items: list[Image]
    next: str | None


class ImageQuery(Paging):
    collection: Collection | UnsetType = UNSET
    state: State | UnsetType = UNSET


class Accepted(Answer):
    id: str
    state: State


# Ranking


class ScoreQuery(Request):
    model: Identifier = "general"


class Similar(Answer):
    image: str
    engagement: float


class Entry(Answer):
    """One image of a ranking. A failed image stands last: no score, and why in `reason`.

    name: the image's; null where it was deleted, and of a photo in the request's body.
    """

    rank: int
    image: str | None
    score: Percentile | None
    interval: tuple[Percentile, Percentile] | None
    beats_next: Annotated[float, Meta(ge=0, le=1)] | None
    reasons: list[Reason]
    similar: list[Similar]
    domain: Domain | None
    reason: str | None
    urls: Urls
    name: str | None = None


class NewRanking(Request):
    images: Annotated[list[Identifier], Meta(min_length=2, max_length=200, extra_json_schema={"uniqueItems": True})]
    model: Identifier = "general"
    name: Name | None = None


class Progress(Answer):
    done: int
    total: int


class RankingAccepted(Answer):
    id: str
    state: Literal["pending", "complete", "partial"]
    progress: Progress


class RankingSummary(RankingAccepted):
    name: str | None
    model: str
    created_at: str


class Ranking(RankingSummary):
    entries: list[Entry]


class Rankings(Answer):
    items: list[RankingSummary]
    next: str | None


class NewLink(Request):
    """days: how long the link shows the ranking."""

    days: Annotated[int, Meta(ge=1, le=90)] = 30


class Link(Answer):
    """token: who has it sees the ranking, at `POST /shared` or on the dashboard's page `#/shared/{token}`."""

    token: str
    expires_at: str


class SharedLink(Request):
    token: Annotated[str, Meta(min_length=1, max_length=200)]


# Models

MAX_POSTS = 5_000
MAX_DATASET_BYTES = 32 * 1000 * 1000
Backend = Literal["inline", "sagemaker"]


class NewPost(Request):
    """An image with the engagement that it had: a count, of `impressions` where they are known.

    posted_at: ISO 8601, in UTC unless it has an offset, or Unix seconds.
    metadata: what else may explain it, such as the campaign; what it explains is not credited to the picture.
    What cannot be used is told row by row, at `GET /models/{id}/problems`.
    """

    image: Identifier
    engagement: float
    impressions: float | None = None
    posted_at: Annotated[str, Meta(max_length=40)] | float | None = None
    metadata: Annotated[dict[str, str | float | bool], Meta(max_length=50)] = {}


class Posts(Request, tag_field="type", tag="posts"):
    items: Annotated[list[NewPost], Meta(min_length=1, max_length=MAX_POSTS)]


class UploadedPosts(Request, tag_field="type", tag="file"):
    """dataset: of `POST /datasets`, uploaded."""

    dataset: Identifier


class TrackedPosts(Request, tag_field="type", tag="tracked"):
    """Every image that was shown in these days, by its clicks, freed of the places that it was shown at."""

    goal: Literal["click"] = "click"
    days: Annotated[int, Meta(ge=1, le=365)] = 90


Source = Posts | UploadedPosts | TrackedPosts


class NewModel(Request):
    """backend: where the model is at home; "sagemaker" has a training job and an endpoint of its own."""

    name: Name
    source: Source
    backend: Backend = "inline"


class NewTraining(Request):
    """source: more posts, or the tracked images of other days; none for the same as before, looked at anew."""

    source: Source | None = None


class TrainingProgress(Progress):
    step: str


class LearnsFrom(Answer):
    """Where a model's posts come from: `source` of the request that made it; of a tracked one, of its newest training.

    dataset: of a "file". goal, days: of a "tracked" one.
    """

    type: Literal["posts", "file", "tracked"]
    dataset: str | None = None
    goal: Literal["click"] | None = None
    days: int | None = None


class Model(Answer):
    """state: of the newest training, if it is under way or there is none that succeeded; then `ready`.

    version: the one that scores; null until there is one. backend: where that version is.
    reason: why there is none, or why the newest training has not replaced it.
    problems: posts that the newest training could not use. n, report: of the version that scores, or else of the
    newest training. source: null for those that ship.

    `cost` in the report, missing of versions that were trained before it was: US dollars, estimated from what was
    measured, at list prices from memory of the region and month in `prices`, whatever region this is. training: of the
    seconds of our function, of reading the posts' images, and of SageMaker's job. thousand_scores: of 1,000 images that
    are described, at the home that the version was trained for; null of one that was not released. Without storage,
    logs, and what else they may be billed with.
    """

    id: str
    name: str
    kind: Literal["general", "market", "customer"]
    state: Literal["queued", "training", "ready", "not_enough_signal", "failed"]
    n: int
    trained_on: str
    report: dict[str, Any]
    backend: Backend = "inline"
    version: int | None = None
    reason: str | None = None
    created_at: str | None = None
    trained_at: str | None = None
    progress: TrainingProgress | None = None
    problems: int = 0
    source: LearnsFrom | None = None


class Models(Answer):
    items: list[Model]
    next: str | None


class PostProblem(Answer):
    """row: the number of the item in its request, from 0, or the line of its file, from 1."""

    row: int
    image: str | None
    reason: str


class PostProblems(Answer):
    items: list[PostProblem]
    next: str | None


class ProblemQuery(Request):
    limit: Limit = 50
    cursor: Annotated[str, Meta(pattern="^[0-9]{1,6}$")] | UnsetType = UNSET


class NewDataSet(Request):
    """A file of up to 50,000 posts, with the fields of `NewPost`: CSV with a header, or one JSON object a line.

    Other columns are metadata.
    """

    name: Name
    format: Literal["csv", "jsonl"]
    # Checked by hand, for 413; told to the reader of the contract here.
    size: Annotated[int, Meta(ge=1, extra_json_schema={"maximum": MAX_DATASET_BYTES})]


class DataSetSlot(Answer):
    """The file is kept for a week; a model keeps the posts that it has read from it."""

    id: str
    upload: Upload


# Delivery

Format = Literal["auto", "jpg", "png", "webp", "avif", "gif"]
OperationList = Annotated[str, Meta(max_length=500)]


class ResizeQuery(Request):
    """key: the path of a variant below the site, `v/...`. inline: 1 for the bytes where they are at most 4 MB.

    default: `preset:{name}`, whose fallback image comes with the status of a refusal.
    """

    key: Annotated[str, Meta(min_length=1, max_length=1100)]
    inline: Literal[0, 1] = 0
    default: Annotated[str, Meta(pattern=r"^preset:[a-z0-9][a-z0-9_\-]{0,39}$")] | UnsetType = UNSET


class NewUrl(Request):
    """source: an image's id, or the key of an original in the configured source.

    accept: the visitor's own Accept header; with it, "auto" is settled now and not at each view.
    widths: adds `srcset`, one variant for each width that the operations would otherwise name.
    """

    source: Annotated[str, Meta(min_length=1, max_length=600)]
    operations: OperationList = ""
    format: Format = "auto"
    expires_in: Annotated[int, Meta(ge=1, le=366 * 86400)] | None = None
    accept: Annotated[str, Meta(max_length=1000)] | None = None
    widths: Annotated[list[Annotated[int, Meta(ge=1, le=4096)]], Meta(max_length=20)] = []


class Url(Answer):
    """key: the address below the site. srcset: for an <img>, where widths were asked for."""

    url: str
    key: str
    srcset: str | None = None


class SourceQuery(Request):
    """source: an image's id, or the key of an original in the configured source."""

    source: Annotated[str, Meta(min_length=1, max_length=600)]


class NewPreset(Request):
    """fallback: an image whose variant stands in where a visitor's image cannot be had; the status stays.

    at_upload: make this variant of each image as soon as it is ready, all such presets from one decode.
    """

    operations: OperationList = ""
    format: Format = "auto"
    quality: Annotated[int, Meta(ge=1, le=100)] | Literal["auto"] | None = None
    at_upload: bool = False
    fallback: Identifier | None = None


class Preset(Answer):
    name: str
    operations: str
    format: Format
    quality: int | Literal["auto"] | None
    at_upload: bool
    fallback: str | None


class PresetQuery(Request):
    limit: Limit = 50
    cursor: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_\-]{0,39}$")] | UnsetType = UNSET


class Presets(Answer):
    items: list[Preset]
    next: str | None


class SigningKey(Answer):
    """What a site signs its own addresses with: see docs/delivery.md. account_key is a secret."""

    site: str
    account: str
    key_id: str
    account_key: str


# Tracking

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+\-]\d\d:\d\d)?)?$")]


class Received(Answer):
    """Events accepted, and those that were put aside with their reasons (`GET /events/quarantine`)."""

    success: Literal[True]
    accepted: int
    rejected: int


class PixelQuery(Request):
    """d: one event with its `writeKey`, JSON in base64url."""

    d: Annotated[str, Meta(max_length=8000)] = ""


class StatsQuery(Request):
    """At most one of image, ranking and collection; with none, everything of the account.

    from, to: UTC dates or times, by default the last 7 days; whole intervals are answered.
    """

    image: Identifier | UnsetType = UNSET
    ranking: Identifier | UnsetType = UNSET
    collection: Collection | UnsetType = UNSET
    from_: Moment | UnsetType = field(default=UNSET, name="from")
    to: Moment | UnsetType = UNSET
    interval: Literal["hour", "day"] = "day"


class Counts(Answer):
    impressions: int
    clicks: int
    submits: int
    conversions: int


class StatsPoint(Counts):
    """What was counted in the interval that begins at `at`."""

    at: str


class Stats(Answer):
    """ctr: clicks for each impression. exact_until: before this the daily compaction has confirmed the
    days; null by hour."""

    series: list[StatsPoint]
    totals: Counts
    ctr: float | None
    exact_until: str | None


class Quarantined(Answer):
    """An event that was put aside. raw: what came, cut short."""

    id: str
    at: str
    reason: str
    raw: str
    key: str


class QuarantineList(Answer):
    items: list[Quarantined]
    next: str | None


# Closed loop


class BestQuery(Request):
    """ops: what to do to the picture, as in an address of a variant. visitor: who sees one choice for ten minutes."""

    ops: OperationList = ""
    format: Format = "auto"
    visitor: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET


# Push: the game


class StandingsQuery(Request):
    """around: a recipient, in the middle of the first page; a cursor goes on from there."""

    limit: Limit = 50
    cursor: Annotated[str, Meta(pattern="^[0-9a-hjkmnp-tv-z]{26}[0-9]{1,9}$")] | UnsetType = UNSET
    around: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET


class Standing(Answer):
    """rank: from 1; who has as many points has the same. movement: places climbed since the snapshot before, below zero
    fallen; null for who had no rank in it."""

    recipient: str
    points: int
    rank: int
    level: str | None
    badges: list[str]
    movement: int | None


class Standings(Answer):
    """One snapshot, best first; the next pages are of the same. counted_until: the last day whose events it has, as far
    as they had arrived. season: null without seasons. All is null until the first snapshot is made."""

    items: list[Standing]
    next: str | None
    total: int = 0
    snapshot: str | None = None
    computed_at: str | None = None
    counted_until: str | None = None
    season: str | None = None


class StandingsAccepted(Answer):
    """snapshot: what `GET /standings` will answer, unless a newer one is quicker."""

    snapshot: str
    state: Literal["computing"] = "computing"


# Push: recipients

MAX_IMPORT_BYTES = 300 * 1000 * 1000
MAX_DEVICES = 5
MAX_ATTRIBUTE_BYTES = 4096
RecipientId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.@:+|=~\-]{1,100}$")]
Channel = Literal["sms", "push"]
Reading = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class NewDevice(Request):
    """token: what Apple or Google gave to the app on this phone. It is the device of whoever brought it last."""

    platform: Literal["APNS", "APNS_SANDBOX", "GCM"]
    token: Annotated[str, Meta(min_length=1, max_length=2100)]


class QuietHours(Request, rename={"start": "from", "end": "to"}):
    """Clock readings where the recipient is, as 22:00 to 07:00; they take effect together with a time zone."""

    start: Reading
    end: Reading


class NewRecipient(Request):
    """Takes the place of all that was known of this id: what is left out is gone.

    id: the `userId` of tracked events. phone: with + and country code.
    attributes: for templates and audiences; texts, numbers, true, false, lists of them and objects, 4 KB as JSON.
    """

    id: RecipientId
    phone: Annotated[str, Meta(max_length=50)] | None = None
    devices: Annotated[list[NewDevice], Meta(max_length=MAX_DEVICES)] = []
    attributes: Annotated[dict[str, Any], Meta(max_length=100)] = {}
    timezone: Annotated[str, Meta(max_length=60)] | None = None
    quiet_hours: QuietHours | None = None
    opt_out: Annotated[list[Channel], Meta(max_length=10)] = []


class NewRecipients(Request):
    """items: of `NewRecipient`; each is checked for itself, so that a bad one does not keep the others out."""

    items: Annotated[list[Any], Meta(min_length=1, max_length=500)]


class RecipientProblem(Answer):
    """index: of the item in its request, from 0."""

    index: int
    id: str | None
    field: str | None
    reason: str


class RecipientsStored(Answer):
    """stored: how many of the items; all others have a problem."""

    stored: int
    problems: list[RecipientProblem]


class DeviceView(Answer):
    """disabled: why it takes no more messages; null while it does."""

    platform: str
    token: str
    disabled: str | None


class RecipientView(Answer):
    """sms_blocked: why this number gets no text messages any more; another number clears it."""

    id: str
    phone: str | None
    devices: list[DeviceView]
    attributes: dict[str, Any]
    timezone: str | None
    quiet_hours: QuietHours | None
    opt_out: list[Channel]
    sms_blocked: str | None


class RecipientQuery(Request):
    limit: Limit = 50
    cursor: Annotated[str, Meta(pattern=r"^([0-2][0-9]|3[01])[0-9A-Za-z_.@:+|=~\-]{0,100}$")] | UnsetType = UNSET


class Recipients(Answer):
    items: list[RecipientView]
    next: str | None


class NewImport(Request):
    """A CSV file with a header: id, phone, timezone, quiet_from, quiet_to, opt_out, apns_tokens, apns_sandbox_tokens,
    fcm_tokens, and attributes.NAME, attributes.NAME:number or attributes.NAME:boolean.

    In cells with several values a semicolon stands between them. What the file has no column for stays as it is, an
    empty cell removes. Of two rows with one id, or one token, the first counts and the later is a problem.
    """

    name: Name
    # Checked by hand, for 413; told to the reader of the contract here.
    size: Annotated[int, Meta(ge=1, extra_json_schema={"maximum": MAX_IMPORT_BYTES})]


class ImportSlot(Answer):
    id: str
    upload: Upload


class ImportView(Answer):
    """rows: read so far; stored and problems add up to it. reason: why it failed.

    problems_url: good for an hour; JSON lines with line, id, field and reason. Import and report are kept for 30 days;
    the file is deleted once it has been read.
    """

    id: str
    name: str
    state: Literal["awaiting_upload", "importing", "done", "failed"]
    created_at: str
    size: int
    read: int
    rows: int
    stored: int
    problems: int
    problems_url: str | None
    reason: str | None


# Push: campaigns

CampaignState = Literal["planning", "sending", "paused", "cancelled", "completed"]
CampaignChannel = Literal["sms", "push", "both"]
Delivery = Literal["at_most_once", "at_least_once"]
RowState = Literal["planned", "sending", "sent", "failed", "skipped", "unknown", "cancelled"]
Dollars = Annotated[float, Meta(ge=0, le=1_000_000)]


class Texts(Request):
    """Templates of the channels that the campaign uses; see docs/push.md for what may stand in them.

    title: of the push, as it is.
    """

    sms: str | None = None
    push: str | None = None
    title: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class NewCampaign(Request):
    """audience: nothing given is everybody. starts_at: in UTC unless it has an offset; now if that has passed.

    delivery: what becomes of a message where nobody knows whether it was sent; "at_most_once" leaves it `unknown`,
    "at_least_once" sends it again. max_dollars: what its text messages may cost at most, by our prices.
    """

    name: Name
    channel: CampaignChannel
    template: Texts
    audience: Filter = Filter()
    starts_at: Moment | None = None
    dry_run: bool = False
    delivery: Delivery = "at_most_once"
    max_dollars: Dollars | None = None


class ChannelEstimate(Answer):
    """messages: to send. skipped: recipients who will get none, by reason. parts: text messages that are billed."""

    messages: int
    skipped: dict[str, int]
    parts: int
    dollars: float


class Estimate(Answer):
    """What a campaign would do if it started now. Nothing is sent or kept.

    exact: whether the whole audience was read; otherwise the numbers are those of `segments_read` of 32 equal parts of
    all recipients, multiplied, and with 0 of a piece of one, so that there are at least so many.
    dollars: by our list of prices. within_budget: of the account's month and `max_dollars`.
    samples: the first texts. hints: characters that make text messages longer, and what to write instead.
    """

    recipients: int
    exact: bool
    segments_read: int
    channels: dict[str, ChannelEstimate]
    dollars: float
    within_budget: bool
    duration_seconds: int
    samples: list[str]
    hints: list[str]


class CampaignAccepted(Answer):
    """A dry run has an estimate, and no id."""

    id: str | None
    state: CampaignState | None
    estimate: Estimate | None = None


class MessageCounts(Answer):
    """Messages by state; planned includes those that are being sent at this moment. total is the sum of the others."""

    total: int
    planned: int
    sent: int
    failed: int
    skipped: int
    unknown: int
    cancelled: int


class CampaignProgress(MessageCounts):
    """total_is_final: whether all is planned. channels: the same by channel, "sms" and "push".

    rate_per_second, eta_seconds: null unless messages are being sent.
    """

    total_is_final: bool
    rate_per_second: float | None
    eta_seconds: int | None
    channels: dict[str, MessageCounts]


class CampaignSummary(Answer):
    """reason: why it is paused, if nobody asked for that: "budget" of the account's month, or "max_dollars"."""

    id: str
    name: str
    channel: CampaignChannel
    delivery: Delivery
    state: CampaignState
    reason: str | None
    created_at: str
    starts_at: str | None
    started_at: str | None
    ended_at: str | None


class HeldUp(Answer):
    """Why SNS refused messages, in its words, and when a worker last stopped because of that."""

    reason: str
    at: str


class Campaign(CampaignSummary):
    """dollars: set aside for text messages so far, before each chunk of at most 250 is sent.

    held_up: null unless a worker has stopped within the last five minutes because SNS refused several messages in a
    row, or one for a reason that all of them have. They are tried again; credentials or a platform application that
    are refused need an operator.
    """

    progress: CampaignProgress
    dollars: float
    max_dollars: float | None
    held_up: HeldUp | None


class Campaigns(Answer):
    items: list[CampaignSummary]
    next: str | None


class Resume(Request):
    """max_dollars: the campaign's new limit."""

    max_dollars: Dollars | None = None


class MessageQuery(Paging):
    state: RowState | UnsetType = UNSET


class MessageView(Answer):
    """One message to one recipient. at: when it came into its state. message: SNS's id of it."""

    recipient: str
    channel: Channel
    state: RowState
    reason: str | None
    at: str
    message: str | None
    parts: int


class Messages(Answer):
    """In the order of their planning. A page may hold fewer than `limit`; it is the last where `next` is null."""

    items: list[MessageView]
    next: str | None


class AuditEntry(Answer):
    """about: the id of what `action` was done to."""

    id: str
    at: str
    user: str
    action: str
    about: str
    details: dict[str, str]


class Audit(Answer):
    """Newest first."""

    items: list[AuditEntry]
    next: str | None


# Push: the inbox


class InboxQuery(Paging):
    """recipient: whose inbox is shown instead of the caller's own; for admins."""

    recipient: RecipientId | UnsetType = UNSET


class InboxMessage(Answer):
    """text: plain, never HTML. about: ids of what it is about, by their kinds, as {"campaign": "..."}."""

    id: str
    kind: str
    text: str
    at: str
    read: bool
    about: dict[str, str]


class Inbox(Answer):
    """The caller's own messages and the account's, newest first, for 90 days. unread: at most 1,000 are counted."""

    items: list[InboxMessage]
    unread: int
    next: str | None


class Unread(Answer):
    unread: int


class NewRead(Request):
    """until: a message's id; it and all before it are read from now on. recipient: as in `GET /inbox`."""

    until: Annotated[str, Meta(pattern="^[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    recipient: RecipientId | UnsetType = UNSET
