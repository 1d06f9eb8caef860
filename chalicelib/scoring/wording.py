"""What a reason says: for each feature that the companion may name, how a photo looks where it is high and where low.

Features with nothing to say to a person stay out of the companion: the statistics of fine texture, the shape and size
of the file, and the place of a face, which means nothing without one.
"""

from __future__ import annotations

from typing import NamedTuple


class Wording(NamedTuple):
    """idea: features with one idea share a reason. high, low: the photo as it looks."""

    idea: str
    high: str
    low: str


def phrase(name: str, *, high: bool, lifts: bool) -> str:
    """For example "lifted by strong, varied color"."""
    wording = WORDINGS[name]
    return f"{'lifted' if lifts else 'lowered'} by {wording.high if high else wording.low}"


_HUES = ("red", "orange", "yellow", "lime", "green", "spring", "cyan", "azure", "blue", "violet", "magenta", "rose")
_HUE_WORDS = {"lime": "yellow-green", "spring": "blue-green", "azure": "sky-blue", "rose": "pink"}

WORDINGS: dict[str, Wording] = {
    "luma_mean": Wording("brightness", "a bright picture", "a dark picture"),
    "luma_p5": Wording("brightness", "open shadows", "deep shadows"),
    "luma_median": Wording("brightness", "bright middle tones", "dark middle tones"),
    "luma_p95": Wording("brightness", "bright highlights", "subdued highlights"),
    "value_mean": Wording("brightness", "luminous color", "dim color"),
    "clipped_dark": Wording("brightness", "areas lost in black", "detail in the shadows"),
    "clipped_light": Wording("brightness", "burnt-out areas", "detail in the highlights"),
    "white_share": Wording("brightness", "much white", "little white"),
    "black_share": Wording("brightness", "much black", "little black"),
    "luma_skew": Wording("brightness", "a dark picture with bright spots", "a bright picture with dark spots"),
    "luma_std": Wording("contrast", "strong contrast", "soft contrast"),
    "dynamic_range": Wording("contrast", "a full range from dark to bright", "a narrow range from dark to bright"),
    "luma_entropy": Wording("contrast", "many shades of brightness", "few shades of brightness"),
    "contrast_variation": Wording("contrast", "calm beside busy parts", "evenly spread contrast"),
    "laplacian_sharpness": Wording("sharpness", "crisp fine detail", "soft fine detail"),
    "tenengrad": Wording("sharpness", "strong edges", "gentle edges"),
    "strongest_edges": Wording("sharpness", "hard main edges", "soft main edges"),
    "blur": Wording("sharpness", "blur", "the absence of blur"),
    "noise": Wording("sharpness", "grain or noise", "clean, noise-free areas"),
    "blockiness": Wording("sharpness", "compression blocks", "the absence of compression blocks"),
    "edge_density": Wording("busyness", "many edges", "few edges"),
    "negative_space": Wording("busyness", "much empty space", "little empty space"),
    "clutter": Wording("busyness", "clutter", "a tidy picture"),
    "text_like": Wording("busyness", "print-like patterns", "the absence of print-like patterns"),
    "compressed_bits": Wording("busyness", "a complex picture", "a simple picture"),
    "spectrum_slope": Wording("busyness", "much fine structure", "large smooth shapes"),
    "edge_direction_entropy": Wording("lines", "lines in all directions", "lines in few directions"),
    "cardinal_edges": Wording("lines", "level and upright lines", "slanted and curved lines"),
    "colorfulness": Wording("color strength", "strong, varied color", "muted color"),
    "saturation_mean": Wording("color strength", "saturated color", "pale color"),
    "saturation_std": Wording("color strength", "vivid beside pale parts", "even saturation"),
    "chroma_mean": Wording("color strength", "rich color", "grayish color"),
    "gray_share": Wording("color strength", "much gray", "little gray"),
    "pleasure": Wording("color strength", "bright, saturated color", "dull color"),
    "arousal": Wording("color strength", "deep, saturated color", "light, pale color"),
    **{
        f"hue_{hue}": Wording("hues", f"much {_HUE_WORDS.get(hue, hue)}", f"little {_HUE_WORDS.get(hue, hue)}")
        for hue in _HUES
    },
    "warm_share": Wording("hues", "warm colors", "cool colors"),
    "skin_share": Wording("hues", "skin-like tones", "few skin-like tones"),
    "hue_entropy": Wording("color harmony", "many different hues", "few different hues"),
    "hue_concentration": Wording("color harmony", "one dominant hue", "no dominant hue"),
    "complementary_contrast": Wording("color harmony", "complementary colors", "few complementary colors"),
    "warm_cold_contrast": Wording("color harmony", "warm against cool colors", "only warm or only cool colors"),
    "palette_entropy": Wording("color harmony", "a wide palette", "a narrow palette"),
    "palette_top1": Wording("color harmony", "one dominant color", "no dominant color"),
    "palette_top5": Wording("color harmony", "a few dominant colors", "no few colors that dominate"),
    "palette_size90": Wording("color harmony", "a great many colors", "a small number of colors"),
    "edge_box": Wording("subject", "detail all over the frame", "detail in one part of the frame"),
    "edge_center": Wording("subject", "detail in the middle", "detail toward the border"),
    "saliency_x": Wording("subject", "an eye-catcher on the right", "an eye-catcher on the left"),
    "saliency_y": Wording("subject", "an eye-catcher low in the frame", "an eye-catcher high in the frame"),
    "saliency_off_center": Wording("subject", "an eye-catcher off center", "a centered eye-catcher"),
    "saliency_thirds_distance": Wording(
        "subject", "an eye-catcher away from the thirds", "an eye-catcher on a crossing of the thirds"
    ),
    "saliency_spread": Wording("subject", "attention spread over the frame", "attention gathered in one place"),
    "saliency_top10": Wording("subject", "one clear eye-catcher", "no clear eye-catcher"),
    "thirds_energy": Wording("subject", "interest along the thirds", "little interest along the thirds"),
    "symmetry_left_right": Wording("balance", "left-right symmetry", "unlike left and right halves"),
    "symmetry_top_bottom": Wording("balance", "top-bottom symmetry", "unlike upper and lower halves"),
    "balance_left_right": Wording("balance", "one side brighter than the other", "evenly bright sides"),
    "balance_top_bottom": Wording("balance", "a brighter upper half", "a brighter lower half"),
    "center_brightness": Wording("background", "a bright middle on a darker border", "a darker middle"),
    "center_color": Wording("background", "a middle that stands out in color", "a middle colored like the border"),
    "center_chroma": Wording("background", "a colorful middle", "a colorful border"),
    "frame_variation": Wording("background", "a varied border", "a plain border"),
    "confidence": Wording("content", "a subject that is easy to name", "a subject that is hard to name"),
    "label_entropy": Wording("content", "an ambiguous subject", "an unambiguous subject"),
    "count": Wording("faces", "faces", "few or no faces"),
    "largest_area": Wording("faces", "a large face", "a small face or none"),
    "area": Wording("faces", "faces that fill the frame", "little of the frame given to faces"),
}
