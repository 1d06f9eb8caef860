"""Identifiers that sort by the time they were made (the ULID layout in lower case)."""

import os
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
LENGTH = 26


def new_id(now: float | None = None) -> str:
    """26 characters: 48 bits of milliseconds, then 80 random bits. Safe in a path, a key and a file name."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))


def is_id(text: str) -> bool:
    return len(text) == LENGTH and all(character in ALPHABET for character in text)
