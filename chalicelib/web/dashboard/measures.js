// Those of an image's numbers that say something to a person, in words and with the range that photos use.

/** property and name: as in chalicelib/features/schema.py. low, high: in words. least, most: ends of the scale. */
const MEASURES = [
  ["quality", "luma_mean", "Brightness", "dark", "bright", 0, 1],
  ["quality", "luma_std", "Contrast", "soft", "hard", 0, 0.4],
  ["quality", "blur", "Sharpness", "blurred", "sharp", 1, 0],
  ["quality", "noise", "Noise", "clean", "grainy", 0, 0.1],
  ["quality", "negative_space", "Empty space", "filled", "open", 0, 1],
  ["quality", "clutter", "Clutter", "calm", "busy", 0, 1],
  ["color", "colorfulness", "Color", "muted", "vivid", 0, 0.6],
  ["color", "saturation_mean", "Saturation", "pale", "deep", 0, 1],
  ["color", "warm_share", "Warmth", "cold", "warm", 0, 1],
  ["color", "gray_share", "Gray", "none", "all", 0, 1],
  ["color", "palette_entropy", "Variety of color", "few", "many", 0, 9],
  ["composition", "saliency_off_center", "Subject", "central", "off center", 0, 0.5],
  ["composition", "symmetry_left_right", "Symmetry", "none", "mirrored", -1, 1],
  ["composition", "center_brightness", "Light", "at the rim", "in the middle", -0.5, 0.5],
  ["faces", "count", "Faces", "none", "many", 0, 5],
  ["faces", "largest_area", "Largest face", "small", "large", 0, 0.5],
];

/** -> [{title, low, high, share}]: share from 0, at `low`, to 1. What has not been measured is left out. */
export function measures({ properties }) {
  return MEASURES.filter(([property, name]) => Number.isFinite(properties[property]?.[name])).map(
    ([property, name, title, low, high, least, most]) => {
      const share = (properties[property][name] - least) / (most - least);
      return { title, low, high, share: Math.min(Math.max(share, 0), 1) };
    },
  );
}

/** What tells two images apart, most first: [{title, low, high, shares: [a, b]}]. */
export function differences(one, other, most = 6) {
  const others = new Map(measures(other).map(({ title, share }) => [title, share]));
  return measures(one)
    .filter(({ title }) => others.has(title))
    .map(({ title, low, high, share }) => ({ title, low, high, shares: [share, others.get(title)] }))
    .sort((a, b) => distance(b) - distance(a))
    .slice(0, most);
}

function distance({ shares: [a, b] }) {
  return Math.abs(a - b);
}
