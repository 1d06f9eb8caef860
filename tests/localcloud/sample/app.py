"""A Chalice app that records what it is given: each call becomes an object calls/{handler}/{id} in the media bucket.

Handlers take their orders from the message: {"do": "succeed" | "raise" | "exit" | "sleep" | "fail-some", ...}.
"""

import json
import os
import time
import uuid

import boto3
from chalice import AuthResponse, Chalice, Response

app = Chalice(app_name="sample")
STAGE = os.environ["PROOFSHEET_STAGE"]
BUCKET = os.environ["PROOFSHEET_MEDIA_BUCKET"]
VERSION = 1


def record(handler, event):
    context = event.context if hasattr(event, "context") else event["context"]
    note = {
        "event": event.to_dict() if hasattr(event, "to_dict") else event["event"],
        "function": context.function_name,
        "remaining": context.get_remaining_time_in_millis(),
        "pid": os.getpid(),
        "at": time.time(),
    }
    body = json.dumps(note).encode()
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"calls/{handler}/{uuid.uuid4()}", Body=body)


def obey(order):
    match order.get("do"):
        case "raise":
            raise RuntimeError("as told")
        case "exit":
            os._exit(9)
        case "sleep":
            time.sleep(order["seconds"])


@app.authorizer()
def deny(request):
    return AuthResponse(routes=[], principal_id="nobody")


@app.route("/version", cors=True)
def version():
    return {"version": VERSION, "pid": os.getpid()}


@app.route("/echo", methods=["POST"], content_types=["application/json", "image/png"])
def echo():
    return {"bytes": len(app.current_request.raw_body), "id": app.current_request.headers.get("x-id")}


@app.route("/picture", methods=["GET", "HEAD"])
def picture():
    return Response(bytes(range(256)), headers={"Content-Type": "image/jpeg", "ETag": '"1"'})


@app.route("/secret", authorizer=deny)
def secret():
    return {}


@app.route("/broken")
def broken():
    app.current_request = None
    raise SystemError("as told")


@app.on_sqs_message(queue=f"proofsheet-{STAGE}-color", batch_size=4)
def color(event):
    record("color", event)
    orders = [(item["messageId"], json.loads(item["body"])) for item in event.to_dict()["Records"]]
    for _, order in orders:
        obey(order)
    return {"batchItemFailures": [{"itemIdentifier": name} for name, order in orders if order.get("do") == "fail"]}


@app.on_sqs_message(queue=f"proofsheet-{STAGE}-tracking", batch_size=25, maximum_batching_window_in_seconds=20)
def gather(event):
    record("gather", event)


@app.on_s3_event(bucket=BUCKET, events=["s3:ObjectCreated:*"], prefix="originals/", suffix=".json")
def ingest(event):
    record("ingest", event)


@app.on_sns_message(topic=f"proofsheet-{STAGE}-notices")
def notice(event):
    record("notice", event)


@app.on_cw_event({"source": ["proofsheet"], "detail-type": ["Ordered"], "detail": {"stage": [STAGE]}})
def ordered(event):
    record("ordered", event)
    obey(event.detail)


@app.schedule("rate(1 minute)")
def sweep(event):
    record("sweep", event)


@app.lambda_function(name="account_born")
def account_born(event, context):
    record("account_born", {"event": event, "context": context})
    obey(event.get("request", {}).get("clientMetadata", event))
    return event
