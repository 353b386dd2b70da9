// Where each label may go, as the service explains it: now, and as a change would leave it.

import { call } from "./api.js";
import { connectionName, LABELS, list } from "./words.js";

/** What is asked for: no label, then each of them. */
export const ASKED = [null, ...LABELS];
export const labelName = (label) => label ?? "no label";

/** The explanation for each of `ASKED`; `who` is `{role}` or `{role, agent}`. Raises a Problem. */
export const explainAll = (who, planned) =>
  Promise.all(
    ASKED.map((tlp) =>
      call("POST", "/system/llm/policy/explain", { body: { tlp, ...who, planned } }),
    ),
  );

/** Who can ask: the two roles, and each agent with an assignment of its own. */
export function askersOf({ assignments }) {
  const agents = Object.keys(assignments.agents).map((agent) => ({
    name: agent,
    who: { role: agent === "orchestrator" ? "orchestrator" : "specialist", agent },
  }));
  return [
    { name: "the specialist", who: { role: "specialist" } },
    { name: "the orchestrator", who: { role: "orchestrator" } },
    ...agents,
  ];
}

/** Who is answered differently: the roles, if one is assigned, and one agent of those alike. */
export function differentAskers(inventory) {
  const { roles, agents } = inventory.assignments;
  const [specialist, orchestrator, ...others] = askersOf(inventory);
  const apart = Object.keys(roles).length > 0 ? [specialist, orchestrator] : [specialist];
  const first = new Map();
  for (const one of others) {
    const { connection, fallbacks } = agents[one.name];
    const key = `${connection} ${fallbacks}`;
    const alike = first.get(key);
    first.set(key, alike ? { ...alike, name: `${alike.name}, ${one.name}` } : one);
  }
  return [...apart, ...first.values()];
}

/** How a connection stands in an explanation: `{state, role, why}`, state as in `STATES`. */
export function standing({ answers, fallbacks, allowed, refused }, connection) {
  const entry = allowed.find((one) => one.connection === connection);
  if (!entry) {
    const { why } = refused.find((one) => one.connection === connection) ?? {};
    return { state: "refused", why: why ?? "It isn't known to the service any more." };
  }
  const state = entry.local ? "local" : "allowed";
  const place = fallbacks.indexOf(connection) + 1;
  const role = answers === connection ? "answers" : place > 0 ? `fallback ${place}` : "";
  return { state, role, why: entry.why };
}

export const STATES = {
  refused: { icon: "off", word: "refused" },
  local: { icon: "stays", word: "while local" },
  allowed: { icon: "ok", word: "allowed" },
};

const STEPS = [
  ["refused", "allowed", "ok", (names) => `May go to ${names} from now on`],
  ["refused", "local", "stays", (names) => `May go to ${names} from now on, while it is local`],
  ["local", "allowed", "ok", (names) => `May go to ${names} wherever the server is`],
  ["allowed", "local", "stays", (names) => `May go to ${names} only while it is local`],
  ["allowed", "refused", "off", (names) => `May no longer go to ${names}`],
  ["local", "refused", "off", (names) => `May no longer go to ${names}`],
];

/** What becomes allowed, and what no longer is: `[{key, icon, text}]`. Pure. */
export function compare(before, after) {
  const names = after[0].allowed.concat(after[0].refused).map((one) => one.connection); // and a new one
  return STEPS.flatMap(([from, to, icon, words]) => {
    const alike = new Map(); // labels → the connections for which they change so
    for (const name of names) {
      const moved = ASKED.filter(
        (_, index) =>
          standing(before[index], name).state === from && standing(after[index], name).state === to,
      );
      const labels = list(moved.map(labelName));
      if (labels) alike.set(labels, [...(alike.get(labels) ?? []), connectionName(name)]);
    }
    return [...alike].map(([labels, those]) => ({
      key: `${from} ${to} ${labels}`,
      icon,
      text: `${words(list(those))}: ${labels}.`,
    }));
  });
}

/** Whose answers come from elsewhere: `[{key, icon, text}]`. Pure. */
export function compareAnswers(asker, before, after) {
  const moves = new Map();
  ASKED.forEach((label, index) => {
    const [from, to] = [before[index].answers, after[index].answers];
    if (from === to) return;
    const key = `${asker} ${from} ${to}`;
    moves.set(key, { from, to, labels: [...(moves.get(key)?.labels ?? []), labelName(label)] });
  });
  return [...moves].map(([key, { from, to, labels }]) => ({
    key,
    icon: "info",
    text: `${list(labels)}, asked by ${asker}: ${answerer(to)} answers instead of ${answerer(from)}.`,
  }));
}

/** Who is asked after a failure, where that changes: `[{key, icon, text}]`. Pure. */
export function compareOrders(asker, before, after) {
  const orders = new Map(); // the new order → the labels that it holds for
  ASKED.forEach((label, index) => {
    const [from, to] = [before[index].fallbacks.join(), after[index].fallbacks.join()];
    if (from !== to) orders.set(to, [...(orders.get(to) ?? []), labelName(label)]);
  });
  return [...orders].map(([order, labels]) => {
    const names = order ? order.split(",").map(connectionName).join(", then ") : "nobody";
    const text = `${list(labels)}, asked by ${asker}: after a failure, ${names} is asked.`;
    return { key: `${asker} after ${order}`, icon: "info", text };
  });
}

const answerer = (name) => (name ? connectionName(name) : "nobody");
