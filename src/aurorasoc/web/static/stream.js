// Server-sent events over fetch: EventSource can't send an Authorization header.

import { open } from "./api.js";

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 15_000;
const FINAL = [401, 403, 404]; // asking again would be refused again

/**
 * Follow a stream until the signal aborts it, and connect again whenever it ends.
 *
 * `onEvent(name, data)` gets each event; `onState("live" | "waiting", problem?)` how it stands.
 * It ends with a refusal that is final.
 */
export async function follow(path, { signal, onEvent, onState }) {
  for (let wait = FIRST_WAIT; !signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    try {
      const answer = await open("GET", path, { signal });
      onState("live");
      wait = FIRST_WAIT;
      await readEvents(answer.body, onEvent);
      onState("waiting");
    } catch (error) {
      if (signal.aborted) return;
      onState("waiting", error);
      if (FINAL.includes(error.status)) return;
    }
    await pause(wait, signal);
  }
}

/** Read events (WHATWG HTML, 9.2.6) of which each has a name and JSON data. */
async function readEvents(body, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) readEvent(block, onEvent);
  }
}

function readEvent(block, onEvent) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5));
  }
  if (data.length) onEvent(name, JSON.parse(data.join("\n")));
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
