"""Properties of a photograph: pixels in, named numbers out. Each property is a module with `extract(photo)`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.features.photo import Photo

MODULES = ("quality", "color", "composition", "content", "faces")


def extract(name: str, photo: "Photo") -> dict[str, Any]:
    """Compute the property `name`. Raises KeyError for an unknown one.

    The module is imported here because it needs numpy and scikit-image, which most Lambda functions never load.
    """
    if name not in MODULES:
        raise KeyError(name)
    properties: dict[str, Any] = import_module(f"chalicelib.features.{name}").extract(photo)
    return properties
