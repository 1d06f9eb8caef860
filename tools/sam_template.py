"""The CloudFormation template of a stage: what Chalice makes of app.py, merged with infra/*.yaml, as plain JSON.

`chalice package` itself will not do, for five reasons:

| Chalice                                          | here                                                            |
|--------------------------------------------------|-----------------------------------------------------------------|
| refuses `on_s3_event` (issues 855 and 860)       | a SAM event on the template's own bucket                        |
| names a queue by its ARN, which orders nothing   | `Fn::GetAtt`, so that the queue is made before who reads it     |
| names a topic by its ARN, too                    | `Ref`, so that the topic is made before who hears of it         |
| gives functions no names                         | app-stage-name, as `chalice deploy` does                        |
| a YAML merge file makes YAML with anchors        | JSON, which CloudFormation takes as it is                       |
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from chalice import package
from chalice.cli.factory import CLIFactory
from chalice.deploy import deployer
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.deploy.validate import validate_resource_policy
from chalice.policy import AppPolicyGenerator
from chalice.utils import OSUtils, to_cfn_resource_name

from tools import undeclared_methods
from tools.stages import BUNDLES

Template = dict[str, Any]

ROOT = Path(__file__).parents[1]
#: Merged in this order, each over what came before.
MERGED = ("resources.yaml", "functions.yaml", "api.yaml", "alarms.yaml", "cdn.yaml", "tracking.yaml")
#: Where CloudFormation finds the bundle; `tools.deploy` uploads it there.
CODE = {"Bucket": {"Ref": "BundleBucket"}, "Key": {"Ref": "BundleKey"}}
BUNDLE_PARAMETERS = {
    "BundleBucket": {"Type": "String", "Description": "The bucket that holds the code of all functions."},
    "BundleKey": {"Type": "String", "Description": "The key of the bundle in that bucket."},
    "CompactionKey": {"Type": "String", "Description": "The key of the compaction's own bundle there."},
}


class Generator(package.SAMTemplateGenerator):  # type: ignore[misc]
    """Chalice's generator with S3 events, function names, and code that lies in a bucket."""

    def _generate_lambdafunction(self, resource: Any, template: Template) -> None:
        super()._generate_lambdafunction(resource, template)
        properties = function(resource, template)["Properties"]
        properties["FunctionName"] = {"Fn::Sub": f"{self._config.app_name}-${{Stage}}-{resource.resource_name}"}
        properties["CodeUri"] = CODE
        variables = properties.setdefault("Environment", {}).setdefault("Variables", {})
        properties["Environment"]["Variables"] = {**variables, "PROOFSHEET_STAGE": {"Ref": "Stage"}}

    def _generate_s3bucketnotification(self, resource: Any, template: Template) -> None:
        """The decorator's bucket is a logical id, see `chalice_template`."""
        filters = {"prefix": resource.prefix, "suffix": resource.suffix}
        rules = [{"Name": name, "Value": value} for name, value in filters.items() if value]
        event = {"Bucket": {"Ref": resource.bucket}, "Events": resource.events}
        if rules:
            event["Filter"] = {"S3Key": {"Rules": rules}}
        name = self._register_cfn_resource_name(resource.resource_name)
        function(resource.lambda_function, template)["Properties"]["Events"] = {
            name: {"Type": "S3", "Properties": event}
        }


def function(resource: Any, template: Template) -> Template:
    """The template's entry for one of Chalice's functions."""
    entry: Template = template["Resources"][to_cfn_resource_name(resource.resource_name)]
    return entry


def generate(stage: str, project: Path = ROOT) -> Template:
    """The whole template of a stage. Raises LookupError when app.py listens to what infra/ lacks."""
    shared = infra(project / "infra")
    generated = chalice_template(stage, project)
    bind_events(generated, shared, stage)
    template = merge(shared, generated)
    template["Parameters"] = {**template.get("Parameters", {}), **BUNDLE_PARAMETERS}
    # The names of queues are already this stage's: a template deployed as another stage would listen to the wrong ones.
    template["Parameters"]["Stage"] = {**template["Parameters"]["Stage"], "Default": stage, "AllowedValues": [stage]}
    undeclared_methods.refuse(template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"])
    return template


def infra(folder: Path) -> Template:
    """The templates of the folder in one."""
    merged: Template = {}
    for name in MERGED:
        merged = merge(read_yaml(folder / name), merged)
    return merged


def merge(over: Template, under: Template) -> Template:
    """Chalice's deep merge: dicts are merged key by key, everything else in `over` takes the place of `under`'s."""
    merged: Template = package.TemplateDeepMerger().merge(over, under)
    return merged


def read_yaml(path: Path) -> Template:
    template: Template = package.YAMLTemplateSerializer().load_template(path.read_text(), str(path))
    return template


def chalice_template(stage: str, project: Path) -> Template:
    """What Chalice makes of app.py, which is imported here, and therefore once in a process.

    While app.py is imported, its bucket is called by the logical id in infra/resources.yaml.
    """
    os.environ.update(PROOFSHEET_STAGE=stage, PROOFSHEET_MEDIA_BUCKET="MediaBucket")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # Chalice asks for one, though it sends nothing
    factory = CLIFactory(str(project))
    config = factory.create_config_obj(stage)
    return from_config(config, factory.create_package_options(), stage)


def from_config(config: Any, options: Any, stage: str) -> Template:
    """Chalice's packager without its last step, which would put a zip together anew for every change of the code."""
    osutils = OSUtils()
    validate_resource_policy(config)
    steps = [
        deployer.InjectDefaults(),
        deployer.PolicyGenerator(policy_gen=AppPolicyGenerator(osutils=osutils), osutils=osutils),
        deployer.SwaggerBuilder(swagger_generator=CFNSwaggerGenerator()),
        deployer.LambdaEventSourcePolicyInjector(),
        deployer.WebsocketPolicyInjector(),
    ]
    builder = package.ResourceBuilder(ApplicationGraphBuilder(), DependencyBuilder(), deployer.BuildStage(steps=steps))
    template: Template = Generator(config, options).generate(builder.construct_resources(config, stage))
    return template


def bind_events(generated: Template, shared: Template, stage: str) -> None:
    """Point every event of a queue, topic or bucket to the resource in `shared` that it names."""
    queues, topics = (ids_by_name(shared, kind, stage) for kind in ("SQS::Queue", "SNS::Topic"))
    for entry in generated["Resources"].values():
        for event in entry["Properties"].get("Events", {}).values():
            properties = event["Properties"]
            if event["Type"] == "SQS":
                properties["Queue"] = {"Fn::GetAtt": [known(named(properties["Queue"]), queues, "queue"), "Arn"]}
            elif event["Type"] == "SNS":
                properties["Topic"] = {"Ref": known(named(properties["Topic"]), topics, "topic")}
            elif event["Type"] == "S3":
                bucket = properties["Bucket"]["Ref"]
                known(bucket, {name: name for name in shared["Resources"]}, "bucket")


def named(arn: Template) -> str:
    """The name at the end of Chalice's ARN."""
    return str(arn["Fn::Sub"].rpartition(":")[2])


def ids_by_name(shared: Template, kind: str, stage: str) -> dict[str, str]:
    """Logical ids of the queues or topics by their names in this stage."""
    return {
        entry["Properties"][f"{kind.partition('::')[2]}Name"]["Fn::Sub"].replace("${Stage}", stage): logical_id
        for logical_id, entry in shared["Resources"].items()
        if entry.get("Type") == f"AWS::{kind}"
    }


def known(name: str, ids: dict[str, str], kind: str) -> str:
    """The logical id of what app.py listens to. Raises LookupError."""
    if name not in ids:
        raise LookupError(f"app.py listens to the {kind} {name}, which infra/ does not have")
    return ids[name]


def handlers(template: Template) -> dict[str, list[str]]:
    """Every entry point as "module.function", by the bundle that it is in."""
    functions = [entry for entry in template["Resources"].values() if entry["Type"] == "AWS::Serverless::Function"]
    found: dict[str, set[str]] = {}
    for properties in (each["Properties"] for each in functions):
        found.setdefault(BUNDLES[properties["CodeUri"]["Key"]["Ref"]], set()).add(properties["Handler"])
    return {bundle: sorted(names) for bundle, names in found.items()}


def write(template: Template, path: Path) -> None:
    path.write_text(json.dumps(template, indent=1) + "\n")


if __name__ == "__main__":
    # Without the bundle, for whoever only wants to read or check the template: STAGE FILE
    write(generate(sys.argv[1]), Path(sys.argv[2]))
