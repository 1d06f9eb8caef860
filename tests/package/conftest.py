"""The packaged template, read by the tests of its parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def template():
    """In a process of its own, since app.py reads its stage when it is imported."""
    code = "import json; from tools import sam_template; print(json.dumps(sam_template.generate('dev')))"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(made.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def of_type(template):
    """of_type("SQS::Queue"): the resources of that type, their properties by logical id."""

    def find(kind):
        found = {name: it["Properties"] for name, it in template["Resources"].items() if it["Type"] == f"AWS::{kind}"}
        assert found, kind
        return found

    return find
