"""Where this stage's things are, read once from the environment.

| variable                    | what                                         | default                          |
|-----------------------------|----------------------------------------------|----------------------------------|
| PROOFSHEET_STAGE            | the stage, part of every resource name       | local                            |
| PROOFSHEET_MEDIA_BUCKET     | originals, working copies, training records  | proofsheet-{stage}-media         |
| PROOFSHEET_USER_POOL        | Cognito user pool id                         | none: tokens are refused         |
| PROOFSHEET_USER_POOL_CLIENT | the pool's app client id                     | none: tokens are refused         |
| PROOFSHEET_NOTICES_TOPIC    | ARN of the topic of in-app notices           | none                             |
| AWS_DEFAULT_REGION          | region (Lambda sets AWS_REGION)              | us-east-1                        |
| AWS_ENDPOINT_URL            | the local cloud instead of AWS (boto3's own) | AWS                              |
"""

import os
from functools import lru_cache

import msgspec

VERSION = "0.1.0"


class Settings(msgspec.Struct, frozen=True):
    stage: str
    region: str
    media_bucket: str
    user_pool: str
    user_pool_client: str
    notices_topic: str
    endpoint: str | None

    @property
    def table(self) -> str:
        return self.name("main")

    def name(self, thing: str) -> str:
        """The name of one of the stage's queues, tables, topics or functions."""
        return f"proofsheet-{self.stage}-{thing}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    env = os.environ
    stage = env.get("PROOFSHEET_STAGE", "local")
    return Settings(
        stage=stage,
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
        media_bucket=env.get("PROOFSHEET_MEDIA_BUCKET", f"proofsheet-{stage}-media"),
        user_pool=env.get("PROOFSHEET_USER_POOL", ""),
        user_pool_client=env.get("PROOFSHEET_USER_POOL_CLIENT", ""),
        notices_topic=env.get("PROOFSHEET_NOTICES_TOPIC", ""),
        endpoint=env.get("AWS_ENDPOINT_URL"),
    )
