"""Both signers of docs/signers and the app itself make the same URLs, and the app lets them through."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

from chalicelib.delivery.operations import parse
from chalicelib.delivery.signature import KeyRing, account_key, sign, verify
from chalicelib.delivery.variant import Variant, format_key, original, parse_key, signed_text

SIGNERS = Path(__file__).parents[2] / "docs" / "signers"
VECTORS = json.loads((SIGNERS / "vectors.json").read_text())
SITE = VECTORS["site"]
SECRETS = VECTORS["secrets"]
JAVASCRIPT = """
import { readFileSync } from "node:fs";
import { signUrl, srcset } from "./proofsheet_urls.mjs";
const { site, urls, srcsets } = JSON.parse(readFileSync("vectors.json", "utf8"));
const account = (v) => ({ site, account: v.account, keyId: v.key_id, accountKey: v.account_key });
console.log(JSON.stringify({
  urls: await Promise.all(urls.map((v) => signUrl(account(v), v.source, v.operations, v.format))),
  srcsets: await Promise.all(srcsets.map((v) => srcset(account(v), v.source, v.operations, v.format, v.widths))),
}));
"""


def vectors(kind: str) -> list[object]:
    return [pytest.param(vector, id=vector["name"]) for vector in VECTORS[kind]]


@pytest.fixture(scope="module")
def signer() -> ModuleType:
    spec = spec_from_file_location("proofsheet_urls", SIGNERS / "proofsheet_urls.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("vector", vectors("urls"))
def test_the_app_makes_the_url(vector):
    ring = KeyRing(vector["key_id"], SECRETS)
    asked = Variant(original(vector["account"], vector["source"]), parse(vector["operations"]), vector["format"])
    signature = sign(ring, vector["account"], signed_text(asked))
    assert f"{SITE}/{format_key(replace(asked, signature=signature))}" == vector["url"]


@pytest.mark.parametrize("vector", vectors("urls"))
def test_the_account_key_is_the_one_that_the_app_derives(vector):
    assert account_key(SECRETS[vector["key_id"]], vector["account"]) == vector["account_key"]


@pytest.mark.parametrize("vector", vectors("urls"))
def test_the_python_signer_makes_the_url(vector, signer):
    asked = (vector[name] for name in ("account", "key_id", "account_key", "source", "operations", "format"))
    assert signer.sign_url(SITE, *asked) == vector["url"]


@pytest.mark.parametrize("vector", vectors("srcsets"))
def test_the_python_signer_makes_the_srcset(vector, signer):
    names = ("account", "key_id", "account_key", "source", "operations", "format", "widths")
    assert signer.srcset(SITE, *(vector[name] for name in names)) == vector["srcset"]


@pytest.mark.parametrize("vector", vectors("srcsets"))
def test_the_app_lets_every_url_of_a_srcset_through(vector):
    for candidate, width in zip(vector["srcset"].split(", "), vector["widths"], strict=True):
        variant = parse_key(candidate.removeprefix(f"{SITE}/").removesuffix(f" {width}w"))
        assert variant.operations.w == width
        verify(KeyRing("1", SECRETS), vector["account"], variant.signature or "", signed_text(variant))


@pytest.mark.skipif(shutil.which("node") is None, reason="the JavaScript signer needs node, which is not installed")
def test_the_javascript_signer_makes_every_url_and_srcset():
    command = ["node", "--input-type=module", "--eval", JAVASCRIPT]
    made = json.loads(subprocess.run(command, cwd=SIGNERS, capture_output=True, check=True, timeout=60).stdout)
    assert made["urls"] == [vector["url"] for vector in VECTORS["urls"]]
    assert made["srcsets"] == [vector["srcset"] for vector in VECTORS["srcsets"]]


def test_a_slash_behind_the_site_is_not_doubled(signer):
    vector = VECTORS["urls"][0]
    asked = (vector[name] for name in ("account", "key_id", "account_key", "source", "operations", "format"))
    assert signer.sign_url(f"{SITE}/", *asked) == vector["url"]
