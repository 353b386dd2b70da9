// What the page knows, in one object that is replaced as a whole, and how it is kept current.

import { useEffect, useState } from "./htm-preact-standalone.js";
import { call, fetchHostToken, HOST_SIGNS_IN, useToken } from "./api.js";
import { follow } from "./stream.js";

const EVERY = 30_000; // the inventory's last calls change without a revision
const SIGNED_OUT = {
  phase: "signed-out", // signed-out | signed-in
  caller: null,
  inventory: null,
  inventoryAt: null,
  fleet: null,
  fleetState: "waiting", // live | waiting
  expired: false, // the sign-in ended while the page was in use
  problem: null, // what the last reading ran into
  said: "", // for screen readers
};

let state = SIGNED_OUT;
let session = new AbortController();
let readings = 0;
let newest = null; // the reading that was begun last
const watchers = new Set();

export function useStore() {
  const [, draw] = useState(0);
  useEffect(() => {
    const watcher = () => draw((count) => count + 1);
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, []);
  return state;
}

/** Whether the service answers this caller: what is read for a view is read again once it does. */
export function useAnswering() {
  const { problem, expired } = useStore();
  return problem?.status !== 0 && !expired;
}

export const current = () => state;
export const may = (permission) => state.caller?.permissions.includes(permission) ?? false;
export const say = (text) => update({ said: text });

function update(changes) {
  state = { ...state, ...changes };
  for (const watcher of watchers) watcher();
}

/** Sign in with a token, or with the host's session when there is none. Raises a Problem. */
export async function signIn(text) {
  const caller = await callerOf(text);
  session.abort();
  session = new AbortController();
  update({ phase: "signed-in", caller, expired: false, problem: null });
  await reload();
  followFleet(session.signal);
  reloadNowAndThen(session.signal);
}

async function callerOf(text) {
  if (HOST_SIGNS_IN) await fetchHostToken();
  else useToken(text);
  try {
    return await call("GET", "/system/llm/caller");
  } catch (problem) {
    useToken(null);
    throw problem;
  }
}

export function signOut() {
  session.abort();
  useToken(null);
  state = { ...SIGNED_OUT, said: "Signed out. The token is forgotten." };
  update({});
}

/**
 * Read the inventory anew, and end once it is shown. A failure is shown on the page, and what was
 * read before stays.
 */
export function reload() {
  newest = read((readings += 1));
  return newest;
}

async function read(reading) {
  try {
    const inventory = await call("GET", "/system/llm/providers", { signal: session.signal });
    if (reading === readings) update({ inventory, inventoryAt: new Date(), problem: null });
  } catch (error) {
    if (reading === readings && error.name !== "AbortError") report(error);
  }
  if (reading !== readings) await newest; // a later one shows what this one would have, or newer
}

/** Note a problem that concerns the whole page; a lost sign-in asks for a new one. */
export function report(problem) {
  if (problem.status === 401) update({ expired: true });
  else if (problem.status === 0 || state.inventory === null) update({ problem });
}

/** Only while it is seen: a browser has six connections for all of a site's tabs together. */
function followFleet(signal) {
  let stream = null;
  const look = () => {
    stream?.abort();
    update({ fleetState: "waiting" });
    if (document.visibilityState !== "visible") return;
    stream = new AbortController();
    openStream(AbortSignal.any([signal, stream.signal]));
  };
  document.addEventListener("visibilitychange", look, { signal });
  look();
}

function openStream(signal) {
  follow("/system/llm/fleet/events", {
    signal,
    onEvent: (name, fleet) => name === "fleet" && adopt(fleet),
    onState: (fleetState, problem) => {
      if (fleetState === "live" && state.problem?.status === 0) reload();
      update({ fleetState });
      if (problem) report(problem);
    },
  });
}

function adopt(fleet) {
  update({ fleet });
  if (fleet.revision !== state.inventory?.revision) reload();
}

function reloadNowAndThen(signal) {
  const tick = () => document.visibilityState === "visible" && !state.expired && reload();
  const timer = setInterval(tick, EVERY);
  document.addEventListener("visibilitychange", tick, { signal });
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
