// A campaign while it is composed: what stands in the form, what the API gets of it, whose field an error is. Pure.

export const EMPTY = {
  name: "",
  channel: "sms",
  conditions: [],
  sms: "",
  push: "",
  title: "",
  later: false,
  startsAt: "",
  delivery: "at_most_once",
  maxDollars: "",
};

export const uses = (draft, channel) => draft.channel === channel || draft.channel === "both";

/** What is wrong before anybody is asked: {field: message}, empty where nothing is. */
export function objections(draft) {
  const found = {};
  if (!draft.name.trim()) found.name = "Give it a name; only you and your colleagues see it.";
  if (uses(draft, "sms") && !draft.sms.trim()) found["template.sms"] = "Write the text message.";
  if (uses(draft, "push") && !draft.push.trim()) found["template.push"] = "Write the notification.";
  if (draft.later && !draft.startsAt) found.starts_at = "Say when it starts, or choose “now”.";
  if (draft.maxDollars.trim() && !(Number(draft.maxDollars) >= 0)) found.max_dollars = "An amount as 12.50.";
  draft.conditions.forEach((condition, index) => {
    const wrong = objection(condition);
    if (wrong) found[`condition.${index}`] = wrong;
  });
  return found;
}

/** Whether a dry run can be asked for: a nameless draft may be tried. */
export function isPreviewable(draft) {
  return Object.keys(objections({ ...draft, name: "draft" })).length === 0;
}

/** The body of POST /campaigns. */
export function request(draft) {
  const body = {
    name: draft.name.trim() || "draft",
    channel: draft.channel,
    template: texts(draft),
    delivery: draft.delivery,
  };
  const audience = filter(draft.conditions);
  if (Object.keys(audience).length) body.audience = audience;
  if (draft.later) body.starts_at = new Date(draft.startsAt).toISOString();
  if (draft.maxDollars.trim()) body.max_dollars = Number(draft.maxDollars);
  return body;
}

function texts(draft) {
  const found = {};
  if (uses(draft, "sms")) found.sms = draft.sms;
  if (uses(draft, "push")) found.push = draft.push;
  if (uses(draft, "push") && draft.title.trim()) found.title = draft.title.trim();
  return found;
}

// Conditions of an audience: {is, name?, kind?, value}; all must hold.

export const CONDITIONS = {
  attribute: "An attribute",
  level: "A level",
  badge: "A badge",
  min_points: "At least so many points",
  max_rank: "Among the first so many",
  ids: "These recipients only",
};

export const KINDS = { text: "text", number: "number", boolean: "yes or no" };

function objection({ is, name, kind, value }) {
  if (is === "attribute" && !name?.trim()) return "Name the attribute.";
  const values = parted(value);
  if (!values.length) return "Say which.";
  if (is === "attribute") return values.some((each) => typed(each, kind) === null) ? wrongKind(kind) : null;
  if (is === "min_points") return isWhole(value) ? null : "A whole number, as 100.";
  if (is === "max_rank") return isWhole(value) && Number(value) > 0 ? null : "A whole number from 1, as 10.";
  return null;
}

const wrongKind = (kind) => (kind === "number" ? "Numbers, as 12 or 12.5." : "Yes or no.");
const isWhole = (text) => /^-?\d{1,15}$/.test(String(text).trim());

/** "Boston, Berlin" and lines alike. */
export function parted(text) {
  return String(text ?? "")
    .split(/[,\n]/)
    .map((each) => each.trim())
    .filter(Boolean);
}

const BOOLEANS = new Map([
  ["yes", true],
  ["true", true],
  ["no", false],
  ["false", false],
]);

/** One value as the API knows it, null where it is not of that kind. */
export function typed(text, kind) {
  if (kind === "number") return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null;
  if (kind === "boolean") return BOOLEANS.get(text.toLowerCase()) ?? null;
  return text;
}

function filter(conditions) {
  const found = {};
  const attributes = new Map();
  for (const { is, name, kind, value } of conditions) {
    if (is === "attribute") {
      const values = parted(value).map((each) => typed(each, kind));
      attributes.set(name.trim(), [...(attributes.get(name.trim()) ?? []), ...values]);
      found.attributes = Object.fromEntries(attributes); // whatever they are called, were it __proto__
    } else if (is === "ids") found.ids = [...new Set([...(found.ids ?? []), ...parted(value)])];
    else found[is] = is === "level" || is === "badge" ? value : Number(value);
  }
  return found;
}

/** The form's field that an error of the API is about, null for none: "audience.attributes..." is of the audience. */
export function fieldOf(path) {
  if (!path) return null;
  const known = [
    "name",
    "template.sms",
    "template.push",
    "template.title",
    "starts_at",
    "max_dollars",
    "audience",
  ];
  return (
    known.find((each) => path === each || path.startsWith(`${each}.`) || path.startsWith(`${each}[`)) ?? null
  );
}

/** A placeholder for the cursor; what somebody may lack comes with what stands in for it. */
export function placeholder(name) {
  const plain = /^[A-Za-z_]\w*$/.test(name);
  return `{{ attributes${plain ? `.${name}` : `[${JSON.stringify(name)}]`} }}`;
}

export const STANDING = [
  ["Points", "{{ standing.points | default(0) }}"],
  ["Rank", "{{ standing.rank }}"],
  ["Level", '{{ standing.level | default("no level") }}'],
  ["Badges", '{{ standing.badges | join(", ") }}'],
];
