// What the service knows without being asked for data: services' addresses, and its own agents.

import { useEffect, useState } from "./htm-preact-standalone.js";

const NOTHING = { services: [], agents: [] };
let reading = null;

/** `{services, agents}` as the service's own file says; empty until it is read, or if it can't be. */
export function useKnown() {
  const [known, setKnown] = useState(NOTHING);
  useEffect(() => void read().then(setKnown), []);
  return known;
}

function read() {
  reading ??= fetch(new URL("./known.json", import.meta.url))
    .then((answer) => (answer.ok ? answer.json() : Promise.reject()))
    .catch(() => ((reading = null), NOTHING)); // it is asked for again with the next form
  return reading;
}

/** The names in braces of an address, such as `resource`. */
export const placeholdersOf = (address) =>
  [...address.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name);

/** An address with its placeholders filled in; null while one is empty. */
export function filledIn(address, values) {
  const complete = placeholdersOf(address).every((name) => values[name]);
  return complete ? address.replace(/\{([a-z]+)\}/g, (_, name) => values[name]) : null;
}

/** What is meant by a placeholder's value: also where a whole address was pasted. */
export function placeholderIn(address, name, typed) {
  const text = typed.trim();
  const [, host] = text.match(/^(?:[a-z]+:\/\/)?([^/:]+\.[^/:]+)/i) ?? [];
  const pattern = address.split("/")[2].split(":")[0];
  const [before, after] = pattern.split(`{${name}}`);
  const fits = host?.startsWith(before) && host.endsWith(after);
  return fits && (before || after) ? host.slice(before.length, host.length - after.length) : text;
}

/** A name that no connection has yet: `azure`, `azure-2`, … */
export function freeName(wanted, taken) {
  let name = wanted;
  for (let count = 2; taken.includes(name); count += 1) name = `${wanted}-${count}`;
  return name;
}
