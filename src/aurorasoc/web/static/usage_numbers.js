// Counts in words: exact ones for tables, short ones for charts. Pure.
//
// A count is `{known, counted, missing}`: the sum of what was counted, from how many rows it comes,
// and how many rows lack something. What wasn't counted is never shown as 0.

export const NOTHING = { known: 0, counted: 0, missing: 0 };

/** A count of one value; null: it isn't known. `lacks`: it is, but for a part. */
export const countOf = (value, lacks = false) =>
  (value ?? null) === null
    ? { known: 0, counted: 0, missing: 1 }
    : { known: value, counted: 1, missing: lacks ? 1 : 0 };

/** The sum of counts. */
export const sumOf = (counts) =>
  counts.reduce(
    (sum, one) => ({
      known: sum.known + one.known,
      counted: sum.counted + one.counted,
      missing: sum.missing + one.missing,
    }),
    NOTHING,
  );

/** "1,234,567" */
export const exact = (value) => value.toLocaleString("en");

/** "$1,234.50", or "$0.000042": to the micro-dollar, in which money is counted. */
export const money = (value) =>
  `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 })}`;

const SHORT = { notation: "compact", maximumSignificantDigits: 3 };

/** "1.23M" */
export const compact = (value) => value.toLocaleString("en", SHORT);

const CENTS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

/** "$1.23K", "$12.30", or below a cent "$0.0042". */
export function compactMoney(value) {
  if (value >= 1_000) return `$${compact(value)}`;
  const digits = value > 0 && value < 0.01 ? { maximumSignificantDigits: 2 } : CENTS;
  return `$${value.toLocaleString("en", digits)}`;
}

/** A count in words: "1,234", "at least 1,234" where something wasn't counted, or `unknown`. */
export function countWords(count, { write = exact, unknown = "not counted" } = {}) {
  if (count.missing === 0) return write(count.known);
  return count.counted === 0 ? unknown : `at least ${write(count.known)}`;
}

/** The scale's end: the next of 1, 2 or 5 times a power of ten that isn't below `most`. */
export function scaleEnd(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= most * (1 - 1e-9));
}
