"""Where this stage's things are, read once from the environment.

| variable                    | what                                         | default                          |
|-----------------------------|----------------------------------------------|----------------------------------|
| PROOFSHEET_STAGE            | the stage, part of every resource name       | local                            |
| PROOFSHEET_MEDIA_BUCKET     | originals, working copies, training records  | proofsheet-{stage}-media         |
| PROOFSHEET_SITE_BUCKET      | variants: public v/, private x/              | proofsheet-{stage}-site          |
| PROOFSHEET_EVENTS_BUCKET    | tracked events, raw and compacted            | proofsheet-{stage}-events        |
| PROOFSHEET_SITE_URL         | where sites read the variants, no end slash  | the bucket's website endpoint    |
| PROOFSHEET_SIGNING_SECRET   | name of the secret of signed addresses       | proofsheet-{stage}-signing       |
| PROOFSHEET_SOURCE_BUCKET    | an existing bucket with originals            | none: uploaded images alone      |
| PROOFSHEET_SOURCE_PREFIX    | the part of it that is shown                 | all of it                        |
| PROOFSHEET_SOURCE_ACCOUNT   | the account that it belongs to               | none: it is nobody's             |
| PROOFSHEET_USER_POOL        | Cognito user pool id                         | none: tokens are refused         |
| PROOFSHEET_USER_POOL_CLIENT | the pool's app client id                     | none: tokens are refused         |
| PROOFSHEET_NOTICES_TOPIC    | ARN of the topic of in-app notices           | none                             |
| PROOFSHEET_APNS_APPLICATION | ARN of SNS's platform application for Apple  | none: its devices are refused    |
| PROOFSHEET_APNS_SANDBOX_APPLICATION | the same for apps under development | none: its devices are refused    |
| PROOFSHEET_FCM_APPLICATION  | ARN of SNS's platform application for Google | none: its devices are refused    |
| PROOFSHEET_SAGEMAKER_ROLE   | ARN of the role of training and endpoints    | none: models are served inline   |
| PROOFSHEET_SAGEMAKER_IMAGE  | address of AWS's scikit-learn container      | none: models are served inline   |
| PROOFSHEET_SMS_PER_SECOND   | text messages of all workers together        | 20                               |
| PROOFSHEET_SMS_WORKERS      | the workers that share it                    | 2                                |
| PROOFSHEET_PUSH_PER_SECOND  | pushes of all workers together               | 1000                             |
| PROOFSHEET_PUSH_WORKERS     | the workers that share it                    | 5                                |
| PROOFSHEET_LEASE_SECONDS    | how long a worker has a chunk of a campaign  | 150, which is the most           |
| PROOFSHEET_SMS_BUDGET_DOLLARS | of text messages, for each account and month | 100                            |
| AWS_DEFAULT_REGION          | region (Lambda sets AWS_REGION)              | us-east-1                        |
| AWS_ENDPOINT_URL            | the local cloud instead of AWS (boto3's own) | AWS                              |
"""

import os
from functools import lru_cache

import msgspec

VERSION = "0.1.0"
# The older regions, whose website endpoints have a dash before the region; the others have a dot.
DASHED = frozenset(
    (
        *("us-east-1", "us-west-1", "us-west-2", "us-gov-west-1", "eu-west-1"),
        *("ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "sa-east-1"),
    )
)


class Settings(msgspec.Struct, frozen=True):
    stage: str
    region: str
    media_bucket: str
    site_bucket: str
    events_bucket: str
    site_url: str
    signing_secret: str
    source_bucket: str
    source_prefix: str
    source_account: str
    user_pool: str
    user_pool_client: str
    notices_topic: str
    apns_application: str
    apns_sandbox_application: str
    fcm_application: str
    sagemaker_role: str
    sagemaker_image: str
    sms_per_second: float
    sms_workers: int
    push_per_second: float
    push_workers: int
    lease_seconds: int
    sms_budget_dollars: float
    endpoint: str | None

    @property
    def table(self) -> str:
        return self.name("main")

    def name(self, thing: str) -> str:
        """The name of one of the stage's queues, tables, topics or functions."""
        return f"proofsheet-{self.stage}-{thing}"


def website(bucket: str, region: str) -> str:
    """The address of a bucket's website endpoint; "Amazon S3 endpoints and quotas" lists the two spellings."""
    host = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"http://{bucket}.s3-website{'-' if region in DASHED else '.'}{region}.{host}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    env = os.environ
    stage = env.get("PROOFSHEET_STAGE", "local")
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    site_bucket = env.get("PROOFSHEET_SITE_BUCKET", f"proofsheet-{stage}-site")
    return Settings(
        stage=stage,
        region=region,
        media_bucket=env.get("PROOFSHEET_MEDIA_BUCKET", f"proofsheet-{stage}-media"),
        site_bucket=site_bucket,
        events_bucket=env.get("PROOFSHEET_EVENTS_BUCKET", f"proofsheet-{stage}-events"),
        site_url=env.get("PROOFSHEET_SITE_URL", "").rstrip("/") or website(site_bucket, region),
        signing_secret=env.get("PROOFSHEET_SIGNING_SECRET", f"proofsheet-{stage}-signing"),
        source_bucket=env.get("PROOFSHEET_SOURCE_BUCKET", ""),
        source_prefix=env.get("PROOFSHEET_SOURCE_PREFIX", ""),
        source_account=env.get("PROOFSHEET_SOURCE_ACCOUNT", ""),
        user_pool=env.get("PROOFSHEET_USER_POOL", ""),
        user_pool_client=env.get("PROOFSHEET_USER_POOL_CLIENT", ""),
        notices_topic=env.get("PROOFSHEET_NOTICES_TOPIC", ""),
        apns_application=env.get("PROOFSHEET_APNS_APPLICATION", ""),
        apns_sandbox_application=env.get("PROOFSHEET_APNS_SANDBOX_APPLICATION", ""),
        fcm_application=env.get("PROOFSHEET_FCM_APPLICATION", ""),
        sagemaker_role=env.get("PROOFSHEET_SAGEMAKER_ROLE", ""),
        sagemaker_image=env.get("PROOFSHEET_SAGEMAKER_IMAGE", ""),
        sms_per_second=float(env.get("PROOFSHEET_SMS_PER_SECOND", "20")),
        sms_workers=int(env.get("PROOFSHEET_SMS_WORKERS", "2")),
        push_per_second=float(env.get("PROOFSHEET_PUSH_PER_SECOND", "1000")),
        push_workers=int(env.get("PROOFSHEET_PUSH_WORKERS", "5")),
        lease_seconds=int(env.get("PROOFSHEET_LEASE_SECONDS", "150")),
        sms_budget_dollars=float(env.get("PROOFSHEET_SMS_BUDGET_DOLLARS", "100")),
        endpoint=env.get("AWS_ENDPOINT_URL"),
    )
