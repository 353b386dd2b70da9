// The rows of `GET /usage` put together: by key, by time, and in all. Pure.

import { compact, compactMoney, countOf, exact, money, NOTHING, sumOf } from "./usage_numbers.js";

/** What a chart can show, and how it is written. */
export const MEASURES = {
  tokens: { words: "Tokens", unit: "tokens", write: exact, short: compact, unknown: "not counted" },
  cost: { words: "Cost", unit: "", write: money, short: compactMoney, unknown: "not known" },
  calls: { words: "Calls", unit: "calls", write: exact, short: compact, unknown: "not counted" },
};

// What is counted, and the field that says of how many calls it wasn't.
const COUNTED = {
  calls: null,
  failed: null,
  uncounted: null,
  unpriced: null,
  prompt_tokens: "uncounted",
  completion_tokens: "uncounted",
  cached_tokens: "uncounted",
  cost: "unpriced",
};

/** One row's counts, `tokens` among them: prompt and completion. */
function countsOf(row) {
  const counts = Object.fromEntries(
    Object.entries(COUNTED).map(([name, lacking]) => [name, countOf(row[name], row[lacking] > 0)]),
  );
  const { prompt_tokens: prompt, completion_tokens: completion } = counts;
  return { ...counts, tokens: sumOf([prompt, completion]) };
}

/** The sums of several rows' counts. */
function add(all) {
  const names = [...Object.keys(COUNTED), "tokens"];
  return Object.fromEntries(names.map((name) => [name, sumOf(all.map((one) => one[name]))]));
}

/**
 * `{total, keys, cells}`: `keys` are `{key, sums, cells}`, whoever has most of a measure first; `cells`
 * are maps from a bucket's start (ms) to its sums, without those in which nothing was called.
 */
export function summarise(rows, measure) {
  const read = rows.map((row) => ({
    key: row.key,
    start: Date.parse(row.bucket),
    counts: countsOf(row),
  }));
  const byKey = groupBy(read, (row) => row.key);
  const keys = [...byKey].map(([key, its]) => ({ key, sums: sumsOf(its), cells: cellsOf(its) }));
  const rank = ({ sums }) => sums[measure].known;
  const before = (one, other) =>
    rank(other) - rank(one) ||
    other.sums.calls.known - one.sums.calls.known ||
    String(one.key).localeCompare(String(other.key));
  return { total: sumsOf(read), keys: keys.sort(before), cells: cellsOf(read) };
}

const sumsOf = (rows) => add(rows.map((row) => row.counts));

const cellsOf = (rows) =>
  new Map([...groupBy(rows, (row) => row.start)].map(([start, its]) => [start, sumsOf(its)]));

function groupBy(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return groups;
}

/** What a chart draws of cells: one count for each bucket. */
export const series = (cells, starts, measure) =>
  starts.map((start) => cells.get(start)?.[measure] ?? NOTHING);

/** The largest of counts; 0 where there is none. */
export const mostOf = (counts) => Math.max(0, ...counts.map((count) => count.known));
