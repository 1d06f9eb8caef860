"""Proofsheet on a laptop: an emulator of AWS, the stack in it, and what `chalice local` leaves out."""

import sys

if sys.version_info < (3, 12):  # noqa: UP036 - whoever starts it with another Python shall read why it fails
    sys.exit(f"Proofsheet needs Python 3.12, and this is {sys.version.split()[0]}: use .venv/bin/python")
