"""Tracking in the packaged template: how long events are kept, the compaction's function, and the table for Athena."""

from __future__ import annotations

import json

import pytest

from chalicelib.tracking import compaction, daybook, labels
from tests.package.conftest import ROOT
from tools import package

HIVE = {"VARCHAR": "string", "BIGINT": "bigint", "BOOLEAN": "boolean"}


@pytest.fixture(scope="session")
def catalogued(of_type):
    [table] = of_type("Glue::Table").values()
    return table["TableInput"]


def test_athena_reads_the_columns_that_the_compaction_writes(catalogued):
    columns = {each["Name"]: each["Type"] for each in catalogued["StorageDescriptor"]["Columns"]}
    assert list(columns.items()) == [(name, HIVE[kind]) for name, kind in daybook.COLUMNS.items()]


def test_athena_looks_where_the_compaction_writes(catalogued):
    [template] = catalogued["Parameters"]["storage.location.template"].values()
    folder = template.removeprefix("s3://${EventsBucket}/").replace("${!account}", "a1").replace("${!dt}", "2026-11-22")
    assert compaction.day_key("a1", "2026-11-22").rpartition("/")[0] + "/" == folder
    assert {each["Name"] for each in catalogued["PartitionKeys"]} == {"account", "dt"}


def test_events_end_and_their_counts_by_place_much_later(of_type, template):
    rules = of_type("S3::Bucket")["EventsBucket"]["LifecycleConfiguration"]["Rules"]
    ends = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    kept = {"Ref": "EventDays"}
    by_place = ends.pop(labels.day_key("a1", "2026-11-22").partition("/")[0] + "/")
    assert ends == {"raw/": kept, "events/": kept, "compacted/": kept, "tallies/": kept, "quarantine/": 30}
    assert by_place > template["Parameters"]["EventDays"]["Default"]


def test_a_late_event_finds_the_file_of_its_day(template):
    assert template["Parameters"]["EventDays"]["MinValue"] > daybook.LATE_DAYS


def test_the_compaction_may_do_what_it_does_and_nothing_else(template):
    [policy] = template["Resources"]["CompactRole"]["Properties"]["Policies"]
    allowed = {(each["Sid"], json.dumps(each["Action"])) for each in policy["PolicyDocument"]["Statement"]}
    assert {sid for sid, _ in allowed} == {"Read", "Write", "Find", "Counts", "Queue", "Logs", "Traces"}
    assert "*" not in "".join(action for _, action in allowed)


def test_the_schedule_names_no_account(template):
    [nightly] = template["Resources"]["Compact"]["Properties"]["Events"].values()
    assert nightly["Properties"]["Input"] == "{}"


def test_the_compactions_bundle_has_what_it_imports_and_the_shared_one_has_none_of_it_alone():
    names = {name for name, _ in package.compiled(ROOT, package.reached(ROOT, package.COMPACTION))}
    shared = {name for name, _ in package.own_files(ROOT)}
    assert {"chalicelib/__init__.py", "chalicelib/aws.py", "chalicelib/tracking/daybook.py"} <= names
    assert names - shared == {
        name for module in package.COMPACTION_ALONE for name in (module, package.byte_code.cached_path(module))
    }
