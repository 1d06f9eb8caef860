// Sends events through Segment's library for Node: node send_events.cjs < {"host", "key", "events": [[name, properties]]}
const { Analytics } = require("@segment/analytics-node");

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { host, key, events } = JSON.parse(Buffer.concat(chunks));
  const analytics = new Analytics({ writeKey: key, host, path: "/v1/batch", flushAt: 7, flushInterval: 200 });
  const failed = [];
  analytics.on("error", (error) => failed.push(String(error.reason ?? error)));
  analytics.identify({ userId: "u1", traits: { plan: "free" } });
  for (const [event, properties] of events) analytics.track({ userId: "u1", event, properties });
  await analytics.closeAndFlush({ timeout: 60000 });
  console.log(JSON.stringify({ failed }));
}

main();
