"""What SageMaker's scikit-learn container runs: trains as a script, serves by its four functions.

It travels in sourcedir.tar.gz with `scoring/regression.py` and `training/pipeline.py`, and like them may import nothing
else but the standard library, numpy, scikit-learn and joblib; Python 3.8 and newer read them. The container imports it
once before the others can be found, so whatever it needs is imported inside functions.

Run with scikit-learn 1.2.1 on Python 3.8 and 3.9 and with 1.4.2 on 3.10, as in AWS's images 1.2-1 and 1.4-2, it gave
our values to 1e-13 (2026-11); the images themselves were never run.

`model.joblib` is written by `main` and read by `model_fn` of the same container, and by nothing else.
"""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chalicelib.scoring.regression import KernelMachine
    from chalicelib.training.pipeline import Space

ARCHIVE = "model.joblib"
ARRAYS = "train.npz"
ORDER = "order.json"


def main() -> None:
    """Fit the channel `training` into the folder whose content becomes model.tar.gz."""
    import joblib
    import numpy as np

    channel = os.environ["SM_CHANNEL_TRAINING"]
    with open(os.path.join(channel, ORDER), encoding="utf-8") as file:
        order = json.load(file)
    with np.load(os.path.join(channel, ARRAYS), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    model = {"name": order["name"], "schema": order["schema"], "pipeline": fitted(order["recipe"], arrays)}
    joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], ARCHIVE))


def fitted(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Any:
    """arrays: as `packed`, with vectors (n, d), targets (n,) and weights (n,)."""
    from chalicelib.training.pipeline import Recipe, pipeline

    space, prior = unpacked(arrays)
    made = pipeline(space, Recipe.from_dict(recipe), prior)
    return made.fit(arrays["vectors"], arrays["targets"], model__sample_weight=arrays["weights"])


def packed(space: Space, prior: KernelMachine | None) -> dict[str, NDArray[Any]]:
    """Both in plain arrays, by names of their own."""
    parts = {"scalars": space.scalars, "compression": space.compression, "prior": prior}
    arrays = {"component_scale": space.component_scale, "scalar_scale": space.scalar_scale}
    for part, what in parts.items():
        for name, array in vars(what).items() if what is not None else ():
            if array is not None:
                arrays[f"{part}.{name}"] = array
    return arrays


def unpacked(arrays: dict[str, NDArray[Any]]) -> tuple[Space, KernelMachine | None]:
    """What `packed` has packed."""
    from chalicelib.scoring.regression import Compression, KernelMachine, Scalars
    from chalicelib.training.pipeline import Space

    def part(name: str) -> dict[str, NDArray[Any]]:
        return {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{name}.")}

    scalars, compression = Scalars(**part("scalars")), Compression(**part("compression"))
    space = Space(scalars, compression, arrays["component_scale"], arrays["scalar_scale"])
    return space, KernelMachine(**part("prior")) if part("prior") else None


def model_fn(model_dir: str) -> dict[str, Any]:
    import joblib

    model: dict[str, Any] = joblib.load(os.path.join(model_dir, ARCHIVE))
    return model


def input_fn(content: bytes | str, content_type: str) -> list[dict[str, Any]]:
    """Training records, one a line, as `scoring.record` writes them."""
    if content_type != "application/jsonlines":
        raise ValueError("training records come as application/jsonlines, not as " + content_type)
    return [json.loads(line) for line in content.splitlines() if line.strip()]


def predict_fn(records: list[dict[str, Any]], model: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    strangers = {record["schema"] for record in records} - {model["schema"]}
    if strangers:
        raise ValueError(f"records of schema {strangers}, for a model of schema {model['schema']}")
    vectors = np.array([np.frombuffer(base64.b64decode(record["vector"]), "<f4") for record in records])
    return {"model": model["name"], "values": model["pipeline"].predict(vectors).tolist() if records else []}


def output_fn(prediction: dict[str, Any], accept: str) -> tuple[str, str]:
    return json.dumps(prediction), "application/json"


if __name__ == "__main__":
    main()
