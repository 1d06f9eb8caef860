"""The switchboard: every route, bucket event, queue, rule and schedule of Proofsheet, and where each leads."""

import time
from functools import partial

from chalice.app import Chalice, Rate

from chalicelib import accounts, bus, contract, http, later, log
from chalicelib.settings import settings

# Where routes and events lead: no cold start pays for a part that it does not use.
with later.at_first_use(__name__):
    from chalicelib import batch, notices, openapi, ranking, sharing, status
    from chalicelib.delivery import keys, links, making, presets, serve
    from chalicelib.images import extract, gallery, ingest, lifecycle, removal, slots, sweep
    from chalicelib.push import (
        audit,
        campaigns,
        enrolment,
        imports,
        inbox,
        launch,
        listing,
        planning,
        recipients,
        rules,
        sending,
        snapshots,
        standings,
    )
    from chalicelib.scoring import preview, rescoring, worker
    from chalicelib.tracking import best, collect, consume, quarantine, rollup, stats
    from chalicelib.training import models, retraining, trainer, uploads

# What the routes that Segment's libraries call have in common.
SENDS_EVENTS = {
    "access": "open",
    "takes_bytes": ("application/json", "text/plain"),
    "answer": contract.Received,
    "refuses": (400, 401, 403),
    "tag": "Tracking",
}

app = Chalice(app_name="proofsheet")
app.register_middleware(log.invocation)
app.register_middleware(bus.correlate, "cloudwatch")
api = http.Api(app, authorize=accounts.authorize, replay=accounts.replay)


# Account


@api.get("/health", access="open", answer=contract.Health, tag="Account")
def get_health(_call):
    """Whether the service answers."""
    return status.health()


@api.get("/openapi.json", access="open", tag="Account")
def get_openapi(_call):
    """This contract as OpenAPI 3.1."""
    return openapi.document(api.endpoints)


@api.get("/docs", access="open", gives="text/html", tag="Account")
def get_docs(_call):
    """A page that shows this contract."""
    return http.asset("docs.html")


@api.get("/docs/{name}", access="open", gives="*/*", refuses=(404,), tag="Account")
def get_docs_asset(_call, name):
    """A part of the docs page."""
    return http.asset(name)


@api.get("/", access="open", status=302, tag="Dashboard")
def get_root(call):
    """To the dashboard."""
    return http.redirect({"Location": f"{call.path.rstrip('/')}/dashboard"})


@api.get("/dashboard", access="open", gives="text/html", tag="Dashboard")
def get_dashboard(_call):
    """The page where people look rather than read."""
    return http.dashboard()


@api.get("/dashboard/{version}/{name}", access="open", gives="*/*", refuses=(404,), tag="Dashboard")
def get_dashboard_asset(_call, version, name):
    """A part of the dashboard, for ever the same under its address."""
    return http.dashboard_asset(version, name)


@api.get("/config.json", access="open", answer=contract.Config, tag="Dashboard")
def get_config(_call):
    """What the dashboard has to know of this installation; nothing in it is secret."""
    return status.config()


@api.get("/me", answer=contract.Me, tag="Account")
def get_me(call):
    """Who is calling."""
    return status.me(call.principal)


@api.post("/api-keys", body=contract.NewApiKey, answer=contract.CreatedApiKey, status=201, tag="Account")
def create_api_key(call):
    """Make an API key; it is shown this once."""
    return accounts.create_api_key(call.principal, call.body.name)


@api.get("/api-keys", query=contract.Paging, answer=contract.ApiKeys, tag="Account")
def list_api_keys(call):
    """The account's API keys, without their secrets."""
    return accounts.list_api_keys(call.principal, call.query)


@api.delete("/api-keys/{key}", refuses=(404,), tag="Account")
def revoke_api_key(call, key):
    """Revoke an API key at once."""
    accounts.revoke_api_key(call.principal, key)


@api.post("/write-keys", body=contract.NewWriteKey, answer=contract.WriteKey, status=201, tag="Account")
def create_write_key(call):
    """Make a public key that a site's tracking script sends events with."""
    return accounts.create_write_key(call.principal, call.body)


@api.get("/write-keys", query=contract.Paging, answer=contract.WriteKeys, tag="Account")
def list_write_keys(call):
    """The account's write keys."""
    return accounts.list_write_keys(call.principal, call.query)


@api.delete("/write-keys/{key}", refuses=(404,), tag="Account")
def revoke_write_key(call, key):
    """Revoke a write key."""
    accounts.revoke_write_key(call.principal, key)


@app.lambda_function(name="account_born")
def account_born(event, _context):
    return accounts.signed_up(event)


# Images


@api.post("/images", body=contract.NewImages, answer=contract.Slots, status=201, refuses=(413,), tag="Images")
def create_images(call):
    """Open an upload slot for each file."""
    return slots.open_slots(call.store, call.body, time.time())


@api.get("/images", query=contract.ImageQuery, answer=contract.Images, tag="Images")
def list_images(call):
    """The account's images, newest first."""
    return gallery.page(call.store, call.query)


@api.get("/images/{image}", answer=contract.Image, refuses=(404,), tag="Images")
def get_image(call, image):
    """One image with everything known of it."""
    return gallery.view(call.store, image)


@api.post(
    "/images/{image}/process",
    body=contract.Process,
    answer=contract.Accepted,
    status=202,
    refuses=(404, 409),
    tag="Images",
)
def process_image(call, image):
    """Compute properties again."""
    return lifecycle.process_again(call.store, image, call.body, time.time())


@api.delete("/images/{image}", refuses=(404,), tag="Images")
def delete_image(call, image):
    """Delete an image and everything made from it."""
    removal.delete(call.store, image)


@app.on_s3_event(bucket=settings().media_bucket, events=["s3:ObjectCreated:*"], prefix="originals/")
def uploaded(event):
    ingest.ingest_key(event.key, time.time())


@app.on_cw_event(bus.pattern(bus.ProcessImageRequest))
def route(event):
    lifecycle.route(event.detail)


@app.on_sqs_message(queue=settings().name("quality"), batch_size=10)
def quality(event):
    return batch.run(event, partial(extract.extract, "quality"))


@app.on_sqs_message(queue=settings().name("color"), batch_size=10)
def color(event):
    return batch.run(event, partial(extract.extract, "color"))


@app.on_sqs_message(queue=settings().name("composition"), batch_size=10)
def composition(event):
    return batch.run(event, partial(extract.extract, "composition"))


@app.on_sqs_message(queue=settings().name("content"), batch_size=10)
def content(event):
    return batch.run(event, partial(extract.extract, "content"))


@app.on_sqs_message(queue=settings().name("faces"), batch_size=10)
def faces(event):
    return batch.run(event, partial(extract.extract, "faces"))


# Delivery


@api.get(
    "/resize",
    access="open",
    query=contract.ResizeQuery,
    status=302,
    others=(200, 304),
    gives="image/*",
    refuses=(403, 404, 410, 413, 422),
    head=True,
    caches_refusals=True,
    tag="Delivery",
)
def resize(call):
    """Make what the site does not have yet, and lead to it."""
    return http.plain(serve.resize(call.query, call.accept, call.headers.get("if-none-match", ""), time.time()))


@api.post("/urls", body=contract.NewUrl, answer=contract.Url, refuses=(404,), tag="Delivery")
def create_url(call):
    """Sign the address of an image at a size."""
    return links.create(call.store, call.body, time.time())


@api.delete("/variants", access="admin", query=contract.SourceQuery, tag="Delivery")
def purge_variants(call):
    """Remove every variant of an original, as when it must not be seen any more."""
    links.purge(call.store, call.query.source)


@api.get("/presets", query=contract.PresetQuery, answer=contract.Presets, tag="Delivery")
def list_presets(call):
    """The account's presets."""
    return presets.page(call.store, call.query)


@api.put(
    "/presets/{name}", access="admin", body=contract.NewPreset, answer=contract.Preset, refuses=(404,), tag="Delivery"
)
def put_preset(call, name):
    """Name operations that a front end may use without a signature."""
    return presets.put(call.store, name, call.body)


@api.delete("/presets/{name}", access="admin", refuses=(404,), tag="Delivery")
def delete_preset(call, name):
    """Delete a preset; what was made by it stays where it is."""
    presets.delete(call.store, name)


@api.get("/signing-key", access="admin", answer=contract.SigningKey, tag="Delivery")
def get_signing_key(call):
    """The key that the account's own site signs addresses with."""
    return keys.show(call.principal.account)


@app.on_cw_event(bus.pattern(bus.ImageProcessed))
def make_presets(event):
    making.make_presets(event.detail["account"], event.detail["image"], time.time())


# Tracking


@api.get("/track.js", access="open", gives="text/javascript", tag="Tracking")
def get_track_js(_call):
    """The script that a site tracks with."""
    return http.asset("track.js")


@api.post("/v1/batch", **SENDS_EVENTS)
def send_batch(call):
    """Segment's batch call: up to 500 kB of events."""
    return collect.batch(call, time.time())


@api.post("/v1/track", **SENDS_EVENTS)
def send_track(call):
    """Segment's track call: something happened."""
    return collect.one("track", call, time.time())


@api.post("/v1/identify", **SENDS_EVENTS)
def send_identify(call):
    """Segment's identify call: who somebody is."""
    return collect.one("identify", call, time.time())


@api.post("/v1/page", **SENDS_EVENTS)
def send_page(call):
    """Segment's page call: a page was seen."""
    return collect.one("page", call, time.time())


@api.post("/v1/screen", **SENDS_EVENTS)
def send_screen(call):
    """Segment's screen call: a screen was seen."""
    return collect.one("screen", call, time.time())


@api.post("/v1/group", **SENDS_EVENTS)
def send_group(call):
    """Segment's group call: whom somebody belongs to."""
    return collect.one("group", call, time.time())


@api.post("/v1/alias", **SENDS_EVENTS)
def send_alias(call):
    """Segment's alias call: two names of one person."""
    return collect.one("alias", call, time.time())


@api.post("/v1/e", **{**SENDS_EVENTS, "answer": None, "status": 204})
def send_beacon(call):
    """A browser's beacon: a batch of up to 64 kB with its `writeKey` inside."""
    collect.beacon(call, time.time())


@api.get(
    "/v1/pixel.gif",
    access="open",
    query=contract.PixelQuery,
    gives="image/gif",
    refuses=(401, 403, 414),
    tag="Tracking",
)
def send_pixel(call):
    """One event by an image, for mails and pages without scripts."""
    return http.plain(collect.pixel(call.query.d, call, time.time()))


@api.get("/stats", query=contract.StatsQuery, answer=contract.Stats, refuses=(404,), tag="Tracking")
def get_stats(call):
    """What was counted, exactly, by hour or day."""
    return stats.stats(call.store, call.query, time.time())


@api.get("/events/quarantine", access="admin", query=contract.Paging, answer=contract.QuarantineList, tag="Tracking")
def list_quarantine(call):
    """Events that were put aside, with their reasons, newest first."""
    return quarantine.page(call.store, call.query)


@app.on_sqs_message(queue=settings().name("tracking"), batch_size=1000, maximum_batching_window_in_seconds=20)
def count(event):
    records = event.to_dict()["Records"]
    consume.count([each["body"] for each in records], [each["messageId"] for each in records], time.time())


@app.schedule(Rate(1, unit=Rate.MINUTES))
def roll_up(_event):
    rollup.roll_up(time.time())


@api.get(
    "/best/{ranking}",
    access="open",
    query=contract.BestQuery,
    status=302,
    refuses=(404,),
    tag="Tracking",
)
def get_best(call, ranking):
    """To the image of a ranking that now does best, and learn from it."""
    seen_by = best.visitor(call.query, call.headers, call.ip)
    return http.redirect(best.choose(ranking, call.query, seen_by, time.time()).headers)


# Scores and rankings


@app.on_cw_event(bus.pattern(bus.ImageProcessed))
def plan_scores(event):
    worker.plan(event.detail["account"], event.detail["image"])


@app.on_sqs_message(queue=settings().name("score"), batch_size=10)
def score(event):
    return batch.run(event, worker.score)


@app.on_cw_event(bus.pattern(bus.ImageScored))
def settle_rankings(event):
    ranking.scored(event.detail["account"], event.detail["image"])


@app.on_cw_event(bus.pattern(bus.RankingComplete))
def tell_ranking(event):
    notices.ranking_complete(event.detail["account"], event.detail["ranking"])


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep_standing(_event):
    sweep.sweep(time.time())
    imports.sweep(time.time())


@api.post(
    "/score",
    query=contract.ScoreQuery,
    takes_bytes=contract.IMAGE_TYPES,
    answer=contract.Entry,
    refuses=(404, 409, 413),
    tag="Ranking",
)
def score_photo(call):
    """Score one photo at once; nothing is stored."""
    return preview.score(call.store, call.raw, call.query.model)


@api.post(
    "/rankings",
    body=contract.NewRanking,
    answer=contract.RankingAccepted,
    status=202,
    refuses=(404, 409),
    tag="Ranking",
)
def create_ranking(call):
    """Rank images; the ranking completes when each has its score."""
    return ranking.create(call.store, call.body, time.time())


@api.get("/rankings", query=contract.Paging, answer=contract.Rankings, tag="Ranking")
def list_rankings(call):
    """The account's rankings, newest first."""
    return ranking.page(call.store, call.query)


@api.get("/rankings/{identifier}", answer=contract.Ranking, refuses=(404,), tag="Ranking")
def get_ranking(call, identifier):
    """A ranking with its entries, best first."""
    return ranking.view(call.store, identifier)


@api.delete("/rankings/{identifier}", refuses=(404,), tag="Ranking")
def delete_ranking(call, identifier):
    """Delete a ranking; its images stay."""
    ranking.delete(call.store, identifier)


@api.post(
    "/rankings/{identifier}/links",
    body=contract.NewLink,
    answer=contract.Link,
    status=201,
    refuses=(404,),
    tag="Ranking",
)
def create_link(call, identifier):
    """Make a link that shows a ranking without sign-in, for some days; originals are not shown."""
    return sharing.link(call.store, identifier, call.body, time.time())


@api.post("/shared", access="open", body=contract.SharedLink, answer=contract.Ranking, refuses=(404,), tag="Ranking")
def get_shared(call):
    """The ranking that a link shows."""
    return sharing.view(call.body.token, time.time())


# Models


@api.get("/models", query=contract.Paging, answer=contract.Models, tag="Models")
def list_models(call):
    """The models that can score and the account's own, with what is known of them."""
    return models.page(call.store, call.query)


@api.post("/models", body=contract.NewModel, answer=contract.Model, status=202, refuses=(404,), tag="Models")
def create_model(call):
    """Learn a model from posts with their engagement; it may end with the answer that they do not show enough."""
    return models.create(call.store, call.body, time.time())


@api.get("/models/{model}", answer=contract.Model, refuses=(404,), tag="Models")
def get_model(call, model):
    """A model, how far its training is, and how good it is."""
    return models.view(call.store, model)


@api.delete("/models/{model}", refuses=(404, 409), tag="Models")
def delete_model(call, model):
    """Delete an own model with its versions, its endpoint and its scores."""
    models.delete(call.store, model, time.time())


@api.post(
    "/models/{model}/train",
    body=contract.NewTraining,
    answer=contract.Model,
    status=202,
    refuses=(404,),
    tag="Models",
)
def train_model(call, model):
    """Train again; the new version scores only if it does better on the newest posts."""
    return models.train(call.store, model, call.body, time.time())


@api.post("/models/{model}/rollback", answer=contract.Model, refuses=(404, 409), tag="Models")
def roll_back_model(call, model):
    """Let the version before score again."""
    return models.roll_back(call.store, model, time.time())


@api.get(
    "/models/{model}/problems",
    query=contract.ProblemQuery,
    answer=contract.PostProblems,
    refuses=(404,),
    tag="Models",
)
def list_model_problems(call, model):
    """The posts that the newest training could not use, each with the reason."""
    return models.problems(call.store, model, call.query)


@api.post("/datasets", body=contract.NewDataSet, answer=contract.DataSetSlot, status=201, tag="Models")
def create_dataset(call):
    """Open an upload slot for a file of posts."""
    return uploads.open_slot(call.store, call.body, time.time())


@app.on_sqs_message(queue=settings().name("train"), batch_size=1)
def train(event):
    return batch.run(event, trainer.train)


@app.schedule(Rate(1, unit=Rate.HOURS))
def retrain(_event):
    retraining.retrain(time.time())


@app.on_cw_event(bus.pattern(bus.ModelTrained))
def tell_model(event):
    notices.model_trained(event.detail)


@app.on_cw_event(bus.pattern(bus.ModelTrained, state="ready"))
def plan_rescoring(event):
    rescoring.start(event.detail["account"], event.detail["model"])


@app.on_sqs_message(queue=settings().name("rescore"), batch_size=1)
def rescore(event):
    return batch.run(event, rescoring.rescore)


# Push: recipients


@api.put(
    "/recipients",
    access="admin",
    body=contract.NewRecipients,
    answer=contract.RecipientsStored,
    tag="Push",
)
def put_recipients(call):
    """Store recipients; who cannot be stored is named with the reason, and keeps none of the others out."""
    return enrolment.put(call.store, call.body, time.time())


@api.get("/recipients", access="admin", query=contract.RecipientQuery, answer=contract.Recipients, tag="Push")
def list_recipients(call):
    """The account's recipients."""
    return recipients.page(call.store, call.query)


@api.get("/recipients/{recipient}", access="admin", answer=contract.RecipientView, refuses=(404,), tag="Push")
def get_recipient(call, recipient):
    """One recipient with everything known of it."""
    return recipients.read(call.store, recipient)


@api.delete("/recipients/{recipient}", access="admin", refuses=(404,), tag="Push")
def delete_recipient(call, recipient):
    """Delete a recipient with its devices and its inbox."""
    recipients.delete(call.store, recipient)


@api.post(
    "/imports",
    access="admin",
    body=contract.NewImport,
    answer=contract.ImportSlot,
    status=201,
    refuses=(413,),
    tag="Push",
)
def create_import(call):
    """Open an upload slot for a file of recipients."""
    return imports.open_slot(call.store, call.body, time.time())


@api.get("/imports/{name}", access="admin", answer=contract.ImportView, refuses=(404,), tag="Push")
def get_import(call, name):
    """How far an import is, and where to read which rows could not be stored."""
    return imports.read(call.store, name)


@app.on_s3_event(bucket=settings().media_bucket, events=["s3:ObjectCreated:*"], prefix="imports/")
def recipients_uploaded(event):
    imports.begin(event.key, time.time())


@app.on_sqs_message(queue=settings().name("imports"), batch_size=1)
def import_recipients(event):
    return batch.run(event, imports.run)


# Push: the game


@api.put("/game", access="admin", body=contract.Rules, answer=contract.Rules, tag="Push")
def put_game(call):
    """Set what events are worth: points, badges, levels and seasons."""
    return rules.put(call.store, call.body, time.time())


@api.get("/game", answer=contract.Rules, tag="Push")
def get_game(call):
    """The rules of the game; empty until somebody sets them."""
    return rules.get(call.store)


@api.get("/standings", query=contract.StandingsQuery, answer=contract.Standings, refuses=(404,), tag="Push")
def list_standings(call):
    """Who stands where, as of the latest snapshot."""
    return snapshots.page(call.store, call.query)


@api.post("/standings", access="admin", answer=contract.StandingsAccepted, status=202, refuses=(409,), tag="Push")
def compute_standings_now(call):
    """Compute the standings now instead of after the next night."""
    return standings.request(call.store, time.time())


@app.on_sqs_message(queue=settings().name("standings"), batch_size=1)
def compute_standings(event):
    return batch.run(event, standings.compute)


@app.schedule(Rate(15, unit=Rate.MINUTES))
def keep_standings(_event):
    standings.keep(time.time())


# Push: campaigns


@api.post(
    "/campaigns",
    access="admin",
    body=contract.NewCampaign,
    answer=contract.CampaignAccepted,
    status=202,
    refuses=(409,),
    tag="Push",
)
def create_campaign(call):
    """Send a text to everybody in an audience; or, as a dry run, tell what that would do."""
    key = call.headers.get("idempotency-key")
    return launch.create(call.store, call.principal.user, call.body, time.time(), key=key)


@api.get("/campaigns", access="admin", query=contract.Paging, answer=contract.Campaigns, tag="Push")
def list_campaigns(call):
    """The account's campaigns, newest first."""
    return campaigns.page(call.store, call.query)


@api.get("/campaigns/{campaign}", access="admin", answer=contract.Campaign, refuses=(404,), tag="Push")
def get_campaign(call, campaign):
    """A campaign and how far it is; asking costs the same whatever its size."""
    return campaigns.view(call.store, campaign, time.time())


@api.post("/campaigns/{campaign}/pause", access="admin", answer=contract.Campaign, refuses=(404, 409), tag="Push")
def pause_campaign(call, campaign):
    """Stop planning and sending for now."""
    campaigns.pause(call.store, call.principal.user, campaign, time.time())
    return campaigns.view(call.store, campaign, time.time())


@api.post(
    "/campaigns/{campaign}/resume",
    access="admin",
    body=contract.Resume,
    answer=contract.Campaign,
    refuses=(404, 409),
    tag="Push",
)
def resume_campaign(call, campaign):
    """Go on where the campaign was paused, perhaps with another limit of what it may cost."""
    most = call.body.max_dollars
    campaigns.resume(call.store, call.principal.user, campaign, time.time(), max_dollars=most)
    return campaigns.view(call.store, campaign, time.time())


@api.post("/campaigns/{campaign}/cancel", access="admin", answer=contract.Campaign, refuses=(404, 409), tag="Push")
def cancel_campaign(call, campaign):
    """End a campaign; what is not sent yet never is."""
    campaigns.cancel(call.store, call.principal.user, campaign, time.time())
    return campaigns.view(call.store, campaign, time.time())


@api.get(
    "/campaigns/{campaign}/recipients",
    access="admin",
    query=contract.MessageQuery,
    answer=contract.Messages,
    refuses=(404,),
    tag="Push",
)
def list_messages(call, campaign):
    """What became of each message of a campaign."""
    return listing.page(call.store, campaign, call.query)


@api.get("/audit", access="admin", query=contract.Paging, answer=contract.Audit, tag="Push")
def list_audit(call):
    """Who created, paused, resumed and cancelled which campaign, newest first."""
    return audit.page(call.store, call.query)


@app.on_sqs_message(queue=settings().name("plan"), batch_size=1)
def plan_campaign(event):
    return batch.run(event, planning.plan)


@app.on_sqs_message(queue=settings().name("send_sms"), batch_size=1)
def send_sms(event):
    return batch.run(event, sending.send)


@app.on_sqs_message(queue=settings().name("send_push"), batch_size=1)
def send_push(event):
    return batch.run(event, sending.send)


# Push: the inbox


@api.get("/inbox", query=contract.InboxQuery, answer=contract.Inbox, tag="Push")
def get_inbox(call):
    """What the caller is told, newest first, and how much of it is unread."""
    return inbox.page(call.principal, call.query, time.time())


@api.post("/inbox/read", body=contract.NewRead, answer=contract.Unread, tag="Push")
def read_inbox(call):
    """Everything up to a message has been read; how much is left."""
    return inbox.mark_read(call.principal, call.body, time.time())


@app.on_sns_message(topic=settings().name("notices"))
def inform(event):
    inbox.deliver(notices.read(event.message), time.time())
