"""Runs inside a bundle, for `tools.smoke`: python smoke_probe.py TREE PHOTOS BUNDLE HANDLER...

It may import nothing of this repository but what is in TREE. Each function of CHECKS uses one part of the bundle and
returns what it found, as plain values; together they are printed as one JSON object.
"""

from __future__ import annotations

import ast
import io
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

CLIENTS = (
    "dynamodb", "s3", "sqs", "sns", "events", "lambda", "cognito-idp", "sts", "sagemaker", "sagemaker-runtime",
    "logs", "cloudwatch",
)  # fmt: skip
# In the bundle of the compaction and in no other, since DuckDB is.
COMPACTION_ALONE = ("chalicelib/tracking/compaction.py", "chalicelib/tracking/daybook.py")
RENDERED = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")


def tree() -> Path:
    return Path(sys.argv[1])


def photos() -> Path:
    return Path(sys.argv[2])


def handlers() -> list[str]:
    return sys.argv[4:]


def entry_points() -> list[str]:
    """Every handler that the template names can be called."""
    for handler in handlers():
        module, _, function = handler.rpartition(".")
        if not callable(getattr(import_module(module), function)):
            raise TypeError(f"{handler} cannot be called")
    return handlers()


def imports() -> int:
    """Every import in our code, also those inside functions, finds its module and name."""
    ours = {tree() / "app.py", *tree().glob("chalicelib/**/*.py")} - {tree() / name for name in COMPACTION_ALONE}
    wanted = {pair for path in ours for pair in imported(ast.parse(path.read_text()))}
    for module, name in sorted(wanted):
        if name and not hasattr(import_module(module), name):
            import_module(f"{module}.{name}")
        import_module(module)
    return len(wanted)


def imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of each import below `node`; what only a type checker reads is left out."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from ((node.module, alias.name) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def working_copies() -> dict[str, Any]:
    from chalicelib.images.working_copy import prepare

    prepared = {path.name: prepare(path.read_bytes()) for path in sorted(photos().iterdir())}
    return {name: [copy.format, copy.width, copy.height, len(copy.jpeg)] for name, copy in prepared.items()}


def extractors() -> dict[str, Any]:
    from chalicelib.features import extract, schema
    from chalicelib.features.photo import Photo
    from chalicelib.images.working_copy import prepare

    copy = prepare((photos() / "jpeg").read_bytes())
    photo = Photo.open(copy.jpeg, copy.width, copy.height)
    found = {name: plain(extract(name, photo)) for name in schema.PROPERTIES}
    if not found["faces"]["boxes"]:
        raise ValueError("no face found in a portrait")
    return found


def general_model() -> Any:
    import msgspec

    from chalicelib.scoring import preview
    from chalicelib.store import AccountStore

    store = AccountStore("smoke")  # a shipped model needs nothing of it
    return plain(msgspec.to_builtins(preview.score(store, (photos() / "jpeg").read_bytes(), "general")))


def renders() -> dict[str, int]:
    """Bytes of a thumbnail in each format that is delivered."""
    from PIL import Image

    with Image.open(photos() / "png") as photo:
        small = photo.resize((160, 160), Image.Resampling.LANCZOS)
    return {name: len(encode(small, name)) for name in RENDERED}


def encode(image: Any, name: str) -> bytes:
    from PIL import Image

    encoded = io.BytesIO()
    image.save(encoded, name)
    with Image.open(io.BytesIO(encoded.getvalue())) as again:
        again.load()
        if again.size != image.size:
            raise ValueError(f"{name} came back with another size")
    return encoded.getvalue()


def tokens() -> str:
    """A token signed here is read by the code that reads Cognito's; a changed one is not."""
    import time

    import jwt
    from cryptography.hazmat.primitives.asymmetric import rsa

    from chalicelib import auth, errors

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.PyJWK(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), algorithm="RS256")
    now = int(time.time())
    payload = {"sub": "s", "iss": "i", "aud": "c", "token_use": "id", "cognito:username": "u", "iat": now}
    token = jwt.encode({**payload, "exp": now + 60}, private, algorithm="RS256", headers={"kid": "k"})
    verifier = auth.TokenVerifier("i", "c", {"k": jwk})  # type: ignore[arg-type]
    try:
        verifier.verify(token[:-8] + "AAAAAAAA")
    except errors.Unauthorized:
        return verifier.verify(token).username
    raise ValueError("a forged token was believed")


def clients() -> list[str]:
    from chalicelib import aws

    return [aws.client(service).meta.service_model.service_name for service in CLIENTS]


def training() -> dict[str, Any]:
    """Models that later parts fit in Lambda, fitted, stored, loaded and asked."""
    import joblib
    import numpy as np
    from sklearn.decomposition import PCA
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    rows = np.random.default_rng(0).normal(size=(80, 6))
    labels, groups = rows @ np.arange(6.0), np.arange(80) % 8
    found: dict[str, Any] = {}
    for model in (SVR(), KernelRidge(kernel="rbf"), RidgeCV()):
        pipeline = make_pipeline(StandardScaler(), PCA(4), model)
        unseen = cross_val_predict(pipeline, rows, labels, groups=groups, cv=GroupKFold(4))
        stored = io.BytesIO()
        joblib.dump(pipeline.fit(rows, labels), stored)
        stored.seek(0)
        found[type(model).__name__] = plain([unseen[:3], joblib.load(stored).predict(rows[:3])])
    return found


def statistics() -> dict[str, float]:
    """scipy.stats builds its distributions with exec; that must work without its docstrings."""
    import numpy as np
    from scipy import optimize, stats

    values = np.random.default_rng(1).normal(size=(2, 40))
    return {
        "quantile": float(stats.norm.ppf(0.9)),
        "tail": float(stats.t.sf(2.0, df=9)),
        "ranks": float(stats.rankdata(values[0])[:5].sum()),
        "correlation": float(stats.spearmanr(*values).statistic),
        "binomial": float(stats.binomtest(7, 10).pvalue),
        "minimum": float(optimize.minimize_scalar(lambda x: (x - 2) ** 2, bounds=(0, 5), method="bounded").x),
    }


def compaction() -> Any:
    """Raw events become a day's file, and its counts."""
    import tempfile

    from chalicelib.tracking.daybook import Daybook

    event = (
        '{{"id": "{}", "type": "track", "account": "a", "key": "k", "received": 1795000000000, "at": 1795000000000,'
        ' "frozen": 1795000000000, "kind": "c", "image": "01k9z5c3a8e7d2m4q6s8v0x1y3", "properties": {{"a": 1}}}}\n'
    )
    with tempfile.TemporaryDirectory() as folder, Daybook(Path(folder), 128) as book:
        book.enter(event.format(number % 7).encode() for number in range(20))
        [day] = book.changed()
        book.write(day, None, Path(folder) / "day")
        return [str(day), list(book.sizes(Path(folder) / "day"))]


def plain(value: Any) -> Any:
    """Arrays and numpy's numbers as JSON has them."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.tolist() if hasattr(value, "tolist") else value


SHARED = (
    entry_points,
    imports,
    working_copies,
    extractors,
    general_model,
    renders,
    tokens,
    clients,
    training,
    statistics,
)
#: By the bundle that they are for.
CHECKS = {"bundle": SHARED, "compaction": (entry_points, clients, compaction)}


def main() -> None:
    sys.path.insert(0, str(tree()))
    print(json.dumps({check.__name__: check() for check in CHECKS[sys.argv[3]]}))


if __name__ == "__main__":
    main()
