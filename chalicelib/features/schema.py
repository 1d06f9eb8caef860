"""Every number that describes a photo, declared once: name, property, unit, range, source and meaning.

The order of FEATURES is the order of the columns in every training record and model; changing FEATURES, or what one
of them means, takes a new SCHEMA_VERSION. docs/features.md is generated from here by `tools/document_features.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA_VERSION = 1
PROPERTIES = ("quality", "color", "composition", "content", "faces")
EMBEDDING_SIZE = 1280


class Feature(msgspec.Struct, frozen=True):
    """One float of one property; no photo has a value outside `low` to `high`."""

    name: str
    property: str
    unit: str
    low: float
    high: float
    source: str
    text: str


BRISQUE = "Mittal, Moorthy and Bovik 2012"
CRETE = "Crete et al. 2007"
DATTA = "Datta et al. 2006"
HASLER = "Hasler and Suesstrunk 2003"
HOU = "Hou and Zhang 2007"
IMMERKAER = "Immerkaer 1996"
ITTEN = "Itten, The Art of Color"
KE = "Ke, Tang and Jing 2006"
KOVAC = "Kovac, Peer and Solina 2003"
MACHADO = "Machado et al. 2015"
MELMER = "Melmer et al. 2013"
OWN = "own definition"
PECH = "Pech-Pacheco et al. 2000"
REDIES = "Redies, Brachmann and Wagemans 2017"
TAN = "Tan and Le 2019"
VALDEZ = "Valdez and Mehrabian 1994"
VIOLA = "Viola and Jones 2001"
WANG = "Wang, Sheikh and Bovik 2002"

SOURCES = {
    BRISQUE: "No-reference image quality assessment in the spatial domain",
    CRETE: "The blur effect: perception and estimation with a new no-reference perceptual blur metric",
    DATTA: "Studying aesthetics in photographic images using a computational approach",
    HASLER: "Measuring colorfulness in natural images",
    HOU: "Saliency detection: a spectral residual approach",
    IMMERKAER: "Fast noise variance estimation",
    ITTEN: "of its seven contrasts, two",
    KE: "The design of high-level features for photo quality assessment",
    KOVAC: "Human skin color clustering for face detection",
    MACHADO: "Computerized measures of visual complexity",
    MELMER: "From regular text to artistic writing and artworks: Fourier statistics of images with low and high "
    "aesthetic appeal",
    OWN: "we know no paper to credit",
    PECH: "Diatom autofocusing in brightfield microscopy: a comparative study",
    REDIES: "High entropy of edge orientations characterizes visual artworks from diverse cultural backgrounds",
    TAN: "EfficientNet: rethinking model scaling for convolutional neural networks",
    VALDEZ: "Effects of color on emotions",
    VIOLA: "Rapid object detection using a boosted cascade of simple features",
    WANG: "No-reference perceptual quality assessment of JPEG compressed images",
}

QUALITY = (
    Feature("resolution", "quality", "log10 megapixels", -6, 1.7, DATTA, "Size of the original."),
    Feature("luma_mean", "quality", "luma", 0, 1, DATTA, "Mean brightness."),
    Feature("luma_std", "quality", "luma", 0, 0.51, KE, "Contrast: standard deviation of brightness."),
    Feature("luma_p5", "quality", "luma", 0, 1, KE, "Brightness that 5 % of the pixels do not exceed."),
    Feature("luma_median", "quality", "luma", 0, 1, KE, "Median brightness."),
    Feature("luma_p95", "quality", "luma", 0, 1, KE, "Brightness that 95 % of the pixels do not exceed."),
    Feature("dynamic_range", "quality", "luma", 0, 1, KE, "99th less 1st percentile of brightness."),
    Feature("clipped_dark", "quality", "share", 0, 1, OWN, "Pixels below 6 of 255: lost in the shadows."),
    Feature("clipped_light", "quality", "share", 0, 1, OWN, "Pixels from 250 of 255: burnt out."),
    Feature("luma_skew", "quality", "skewness", -15, 15, OWN, "Positive: mostly dark with bright spots."),
    Feature("luma_entropy", "quality", "bits", 0, 6, OWN, "How evenly 64 levels of brightness are used."),
    Feature(
        "laplacian_sharpness", "quality", "log10 variance", -8, 1.3, PECH, "Variance of the Laplacian: fine detail."
    ),
    Feature("tenengrad", "quality", "log10 energy", -8, 0, PECH, "Mean energy of the gradient: edges."),
    Feature("strongest_edges", "quality", "luma per pixel", 0, 1, KE, "99th percentile of the gradient."),
    Feature("blur", "quality", "share", 0, 1, CRETE, "Detail that a further blur would leave: 1 is very blurred."),
    Feature("noise", "quality", "luma", 0, 2, IMMERKAER, "Standard deviation of the noise on the flatter half."),
    Feature(
        "blockiness", "quality", "contrast", -1, 1, WANG, "Steps on the 8 px grid of JPEG against those beside it."
    ),
    Feature("edge_density", "quality", "share", 0, 1, MACHADO, "Pixels that are edges."),
    Feature("edge_direction_entropy", "quality", "bits", 0, 3.6, REDIES, "How evenly edges run in twelve directions."),
    Feature("cardinal_edges", "quality", "share", 0, 1, OWN, "Edges that run level or upright."),
    Feature("negative_space", "quality", "share", 0, 1, OWN, "Flat 16 px blocks."),
    Feature("clutter", "quality", "share", 0, 1, OWN, "Busy 16 px blocks."),
    Feature(
        "contrast_variation", "quality", "luma", 0, 0.26, OWN, "How unlike each other the contrasts of blocks are."
    ),
    Feature("text_like", "quality", "share", 0, 1, OWN, "Blocks with the dense upright edges of print."),
    Feature("compressed_bits", "quality", "bits per pixel", 0, 24, MACHADO, "Size as JPEG of quality 50: complexity."),
    Feature(
        "spectrum_slope", "quality", "log-log slope", -8, 4, MELMER, "Fall of power with frequency; nature: near -2."
    ),
)


def _naturalness(scale: int) -> tuple[Feature, ...]:
    size = "full size" if scale == 1 else "half size"

    def of(name: str, unit: str, low: float, high: float, text: str) -> Feature:
        return Feature(f"nss{scale}_{name}", "quality", unit, low, high, BRISQUE, f"{text}, {size}.")

    contrast = (
        of("shape", "exponent", 0.2, 10, "Shape of the distribution of normalized contrast (2: Gaussian)"),
        of("variance", "squared contrast", 0, 8, "Variance of normalized contrast"),
    )
    products = (
        (
            of(
                f"{side}_shape",
                "exponent",
                0.2,
                10,
                f"Shape of the product of normalized contrast with the pixel {place}",
            ),
            of(f"{side}_mean", "squared contrast", -8, 8, f"Mean that fits the product with the pixel {place}"),
            of(f"{side}_left", "contrast^4", 0, 64, f"Variance of negative products with the pixel {place}"),
            of(f"{side}_right", "contrast^4", 0, 64, f"Variance of positive products with the pixel {place}"),
        )
        for side, place in (("right", "to the right"), ("below", "below"))
    )
    return contrast + tuple(feature for four in products for feature in four)


HUES = ("red", "orange", "yellow", "lime", "green", "spring", "cyan", "azure", "blue", "violet", "magenta", "rose")

COLOR = (
    Feature("colorfulness", "color", "1/255", 0, 1.2, HASLER, "Perceived colorfulness; 1 is vivid."),
    Feature("saturation_mean", "color", "saturation", 0, 1, DATTA, "Mean saturation (HSV)."),
    Feature("saturation_std", "color", "saturation", 0, 0.51, DATTA, "Spread of saturation."),
    Feature("value_mean", "color", "value", 0, 1, DATTA, "Mean value (HSV)."),
    Feature("chroma_mean", "color", "chroma", 0, 1, OWN, "Mean chroma: saturation times value."),
    *(
        Feature(f"hue_{hue}", "color", "share", 0, 1, DATTA, f"Share of the chroma within 15 degrees of {hue}.")
        for hue in HUES
    ),
    Feature("hue_entropy", "color", "bits", 0, 3.6, OWN, "How evenly the twelve hues are used."),
    Feature("hue_concentration", "color", "length", 0, 1, OWN, "Length of the mean hue vector: 1 is a single hue."),
    Feature("warm_share", "color", "share", 0, 1, ITTEN, "Share of the chroma from magenta over red to yellow-green."),
    Feature("complementary_contrast", "color", "share", 0, 0.5, ITTEN, "Chroma that is matched by the opposite hue."),
    Feature("warm_cold_contrast", "color", "contrast", 0, 1, ITTEN, "1 when warm and cold hues hold each other even."),
    Feature("gray_share", "color", "share", 0, 1, OWN, "Pixels almost without chroma."),
    Feature("white_share", "color", "share", 0, 1, OWN, "Nearly white pixels."),
    Feature("black_share", "color", "share", 0, 1, OWN, "Nearly black pixels."),
    Feature("palette_entropy", "color", "bits", 0, 9, KE, "How evenly 512 colors are used."),
    Feature("palette_top1", "color", "share", 0, 1, KE, "Pixels of the commonest of 512 colors."),
    Feature("palette_top5", "color", "share", 0, 1, KE, "Pixels of the five commonest of 512 colors."),
    Feature("palette_size90", "color", "colors", 1, 512, KE, "How many of 512 colors cover 90 % of the pixels."),
    Feature("pleasure", "color", "index", 0, 0.92, VALDEZ, "Pleasure that brightness and saturation suggest."),
    Feature("arousal", "color", "index", -0.32, 0.61, VALDEZ, "Arousal that brightness and saturation suggest."),
    Feature("skin_share", "color", "share", 0, 1, KOVAC, "Pixels whose color could be skin; wood and sand too."),
)

COMPOSITION = (
    Feature("aspect", "composition", "log2 ratio", -26, 26, DATTA, "Width over height of the original; 0 is square."),
    Feature("landscape", "composition", "0 or 1", 0, 1, DATTA, "More than a tenth wider than tall."),
    Feature("portrait", "composition", "0 or 1", 0, 1, DATTA, "More than a tenth taller than wide."),
    Feature("edge_box", "composition", "share", 0, 1, KE, "Area of the box that holds nearly all edges."),
    Feature("edge_center", "composition", "share", 0, 1, DATTA, "Edge energy in the middle; even: 0.25."),
    Feature("saliency_x", "composition", "width", 0, 1, HOU, "Center of saliency, from the left."),
    Feature("saliency_y", "composition", "height", 0, 1, HOU, "Center of saliency, from the top."),
    Feature("saliency_off_center", "composition", "side", 0, 0.71, HOU, "Its distance from the middle."),
    Feature(
        "saliency_thirds_distance",
        "composition",
        "side",
        0,
        0.48,
        DATTA,
        "Distance of the peak from a thirds crossing.",
    ),
    Feature("saliency_spread", "composition", "side", 0, 0.71, HOU, "Spread of saliency around its center."),
    Feature("saliency_top10", "composition", "share", 0, 1, HOU, "Saliency on the most salient tenth of the photo."),
    Feature("thirds_energy", "composition", "share", 0, 1, DATTA, "Saliency on the lines of thirds."),
    Feature("symmetry_left_right", "composition", "likeness", -1, 1, OWN, "Likeness to the left-right mirror image."),
    Feature("symmetry_top_bottom", "composition", "likeness", -1, 1, OWN, "Likeness to the top-bottom mirror image."),
    Feature(
        "balance_left_right", "composition", "brightness", 0, 1, OWN, "How unlike in brightness left and right are."
    ),
    Feature("balance_top_bottom", "composition", "brightness", -1, 1, OWN, "How much brighter the upper half is."),
    Feature("center_brightness", "composition", "brightness", -1, 1, OWN, "How much brighter the middle is."),
    Feature("center_color", "composition", "RGB distance", 0, 1.74, OWN, "How unlike in color middle and border are."),
    Feature("center_chroma", "composition", "chroma", -1, 1, OWN, "How much more chroma the middle has."),
    Feature("frame_variation", "composition", "RGB", 0, 0.51, OWN, "How uneven the frame is; 0 is plain."),
)

CONTENT = (
    Feature("confidence", "content", "probability", 0, 1, TAN, "Probability of the likeliest of 1000 labels."),
    Feature("label_entropy", "content", "bits", 0, 10, TAN, "How undecided the labels are."),
)

FACES = (
    Feature("count", "faces", "faces", 0, 100, VIOLA, "How many faces."),
    Feature("largest_area", "faces", "share", 0, 1, VIOLA, "Area of the largest face."),
    Feature("center_x", "faces", "width", 0, 1, VIOLA, "Center of the largest face, from the left."),
    Feature("center_y", "faces", "height", 0, 1, VIOLA, "Center of the largest face, from the top."),
    Feature("area", "faces", "share", 0, 1, VIOLA, "Area of all faces."),
)

FEATURES: tuple[Feature, ...] = (*QUALITY, *_naturalness(1), *_naturalness(2), *COLOR, *COMPOSITION, *CONTENT, *FACES)


def names(property: str) -> tuple[str, ...]:  # noqa: A002 - the domain's word
    """Names of one property's floats, in order; empty for a property that does not exist."""
    return tuple(feature.name for feature in FEATURES if feature.property == property)


def vector(properties: Mapping[str, Mapping[str, Any]]) -> NDArray[np.float32]:
    """A photo as models see it: all floats in the order of FEATURES, then the embedding.

    properties: {property: {name: float}} of all of PROPERTIES, and `embedding`, (1280,), in `content`.
    Returns (len(FEATURES) + 1280,) float32. Raises KeyError when a float is missing, ValueError when the embedding
    has another length.
    """
    import numpy as np

    scalars = [properties[feature.property][feature.name] for feature in FEATURES]
    embedding = np.asarray(properties["content"]["embedding"], np.float32)
    if embedding.shape != (EMBEDDING_SIZE,):
        raise ValueError(f"an embedding has {EMBEDDING_SIZE} numbers, not {embedding.shape}")
    return np.concatenate([np.asarray(scalars, np.float32), embedding])
