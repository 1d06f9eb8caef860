// One file to its slot in S3: by XMLHttpRequest, since fetch tells nothing of how far an upload has come.

const STALLED_MS = 60_000;

/**
 * Sends `file` as a presigned POST; progress(bytes) as it goes.
 * -> the event for the upload (see uploading.js): sent, lost, expired or refuse. An abort by `signal` is "lost", too.
 */
export async function send({ url, fields }, file, progress, signal) {
  const answer = await post(url, form(fields, file), file.size, progress, signal);
  if (answer.status >= 200 && answer.status < 300) return { is: "sent" };
  if (answer.status >= 400 && answer.status < 500) return refusal(answer);
  if (answer.status === 0 && !signal.aborted && !(await readable(file))) {
    return { is: "refuse", reason: "This file can no longer be read: it was moved, changed or deleted." };
  }
  return { is: "lost", reason: answer.status === 0 ? "Connection lost" : "The storage is busy" };
}

function form(fields, file) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  body.append("file", file);
  return body;
}

/** -> { status: 0 where no answer came, text }. */
function post(url, body, size, progress, signal) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let watchdog;
    const patience = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => request.abort(), STALLED_MS);
    };
    request.upload.onprogress = ({ loaded, total }) => {
      patience();
      // The form around the file is sent as well.
      progress(total > 0 ? Math.floor((size * loaded) / total) : 0);
    };
    request.onloadend = () => {
      clearTimeout(watchdog);
      resolve({ status: request.status, text: request.responseText });
    };
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.open("POST", url);
    patience();
    request.send(body);
  });
}

const REASONS = {
  EntityTooLarge: "The file has changed since it was chosen. Choose it again, please.",
  EntityTooSmall: "The file has changed since it was chosen. Choose it again, please.",
};

/** S3 answers in XML; an expired slot and a forged one are both 403. */
function refusal({ status, text }) {
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1];
  if (code === "RequestTimeout" || code === "SlowDown") return { is: "lost", reason: "The storage is busy" };
  const reason = REASONS[code] ?? `The storage refused it (${code ?? status}).`;
  return status === 403 ? { is: "expired", reason } : { is: "refuse", reason };
}

/** A file that is gone or changed fails like a lost connection, and would be tried for ever. */
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
