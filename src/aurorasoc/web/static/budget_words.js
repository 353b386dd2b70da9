// Limits in words, as they are typed, and what a change of them does. Pure.

import { exact, money } from "./usage_numbers.js";
import { connectionName } from "./words.js";

export const PERIODS = { day: "a day", month: "a month" };
export const KINDS = { connection: "Connection", agent: "Agent", client: "Client" };

/** What a limit may count, and how it is written. */
export const AMOUNTS = {
  tokens: { words: "Tokens", write: (value) => `${exact(value)} tokens` },
  money: { words: "Money (USD)", write: money },
};

/** `["tokens"]`, `["money"]` or both: what is limited. */
export const limited = (limit) => Object.keys(AMOUNTS).filter((name) => (limit[name] ?? null) !== null);

/** "connection DeepSeek" */
export function scopeWords(scope) {
  const [kind, name] = scope.split(":");
  return `${kind} ${kind === "connection" ? connectionName(name) : name}`;
}

/** "1,000,000 tokens a day" */
export const amountWords = (limit) =>
  `${limited(limit).map((name) => AMOUNTS[name].write(limit[name])).join(" and ")} ${PERIODS[limit.per]}`;

export const actWords = (limit) => (limit.hard ? "calls beyond it are refused" : "beyond it, a warning");

// --- as it is typed ----------------------------------------------------------------------------------

const TYPED = /^\$?\s*(\d[\d,_ ]*(?:\.\d+)?|\.\d+)\s*([km]?)$/i;
const FACTORS = { "": 1, k: 1_000, m: 1_000_000 };

/** The number that was meant by "1,500,000", "1.5M" or "$20"; null by nothing; NaN by anything else. */
export function amountOf(text) {
  const typed = text.trim();
  if (typed === "") return null;
  const [, digits, unit] = typed.match(TYPED) ?? [];
  if (digits === undefined) return NaN;
  return Number((Number(digits.replace(/[,_ ]/g, "")) * FACTORS[unit.toLowerCase()]).toFixed(6));
}

export const EMPTY_BUDGET = { per: "month", tokens: "", money: "", hard: true };

/** What is wrong with typed amounts; empty: nothing. */
export function amountProblem({ tokens, money: amount }) {
  const [count, dollars] = [amountOf(tokens), amountOf(amount)];
  if (count === null && dollars === null) return "Enter tokens, money, or both.";
  if (count !== null && !(Number.isInteger(count) && count >= 1)) {
    return "Tokens: enter a whole number, such as 1,000,000 or 1.5M.";
  }
  if (dollars !== null && !(dollars > 0)) {
    return "Money: enter an amount in US dollars, such as 20 or 2.50.";
  }
  return "";
}

/** A typed budget as it is sent. */
export const asBudget = ({ per, tokens, money: amount, hard }) => ({
  per,
  tokens: amountOf(tokens),
  money: amountOf(amount),
  hard,
});

/** A limit as it can be typed over. */
export const asTyped = ({ scope, per, tokens = null, money: amount = null, hard }) => {
  const [kind, name] = scope.split(":");
  const text = (value, write) => (value === null ? "" : write(value));
  return { kind, name, per, hard, tokens: text(tokens, exact), money: text(amount, String) };
};

/** A typed limit as it is sent. */
export const asLimit = (typed) => ({ scope: `${typed.kind}:${typed.name.trim()}`, ...asBudget(typed) });

// --- compared ----------------------------------------------------------------------------------------

/** What no other limit of the same list has. */
export const keyOf = ({ scope, per, hard }) => `${scope} ${per} ${hard}`;

const amountsOf = (limit) => JSON.stringify([limit.tokens ?? null, limit.money ?? null]);
const byKey = (limits) => new Map(limits.map((limit) => [keyOf(limit), limit]));

/** Whether two lists limit the same, in whatever order. */
export const areSame = (one, other) => compareLimits(one, other).length === 0;

/**
 * `mine` with what somebody else made of `base` meanwhile: where both changed a limit, mine stays.
 */
export function mergeLimits(base, mine, theirs) {
  const [was, own, others] = [byKey(base), byKey(mine), byKey(theirs)];
  const touched = (key) => {
    const [before, after] = [was.get(key), own.get(key)];
    return (before && amountsOf(before)) !== (after && amountsOf(after));
  };
  const kept = mine.flatMap((limit) => {
    const key = keyOf(limit);
    if (touched(key)) return [limit];
    return others.has(key) ? [others.get(key)] : [];
  });
  const added = theirs.filter((limit) => !own.has(keyOf(limit)) && !touched(keyOf(limit)));
  return [...kept, ...added];
}

/** What saving `after` over `before` does: `{key, icon, text}` each. `before` knows what is spent. */
export function compareLimits(before, after) {
  const [was, will] = [byKey(before), byKey(after)];
  const removed = before
    .filter((limit) => !will.has(keyOf(limit)))
    .map((limit) => ({
      key: `- ${keyOf(limit)}`,
      icon: "warn",
      text: `The ${scopeWords(limit.scope)} loses its limit of ${amountWords(limit)} (${actWords(limit)}).`,
    }));
  const changed = after
    .filter((limit) => !was.has(keyOf(limit)) || amountsOf(was.get(keyOf(limit))) !== amountsOf(limit))
    .map((limit) => ({ key: keyOf(limit), ...effect(limit, was.get(keyOf(limit))) }));
  return [...removed, ...changed];
}

function effect(limit, before) {
  const who = scopeWords(limit.scope);
  const instead = before ? `, instead of ${amountWords(before)}` : "";
  const text = `The ${who} may spend ${amountWords(limit)}${instead}: ${actWords(limit)}.`;
  const spent = limited(limit).find((name) => (before?.spent?.[name] ?? 0) >= limit[name]);
  if (!spent) return { icon: "info", text };
  const so = limit.hard ? "its calls are refused from now on, until it resets" : "the warning comes at once";
  return { icon: "warn", text: `${text} ${AMOUNTS[spent].write(before.spent[spent])} are spent already: ${so}.` };
}
