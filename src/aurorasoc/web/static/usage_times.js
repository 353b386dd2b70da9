// Spans of time, cut into hours or days of UTC, as the service counts them. Pure.

const LENGTH = { hour: 3_600_000, day: 86_400_000 }; // ms

/** What can be chosen, by name. */
export const SPANS = {
  day: { words: "Last 24 hours", bucket: "hour", count: 24 },
  week: { words: "Last 7 days", bucket: "day", count: 7 },
  month: { words: "Last 30 days", bucket: "day", count: 30 },
  quarter: { words: "Last 90 days", bucket: "day", count: 90 },
};

/**
 * The buckets of a span that ends with the present one: `from` and `to` as ISO 8601, `starts` in
 * milliseconds.
 */
export function bucketsOf(name, now) {
  const { bucket, count } = SPANS[name];
  const length = LENGTH[bucket];
  const end = (Math.floor(now / length) + 1) * length;
  const starts = Array.from({ length: count }, (_, index) => end - (count - index) * length);
  return { bucket, starts, from: isoOf(starts[0]), to: isoOf(end) };
}

const isoOf = (moment) => new Date(moment).toISOString();

const DAY = { day: "numeric", month: "short", timeZone: "UTC" };
const HOUR = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" };

/** "28 Nov", or with hours "28 Nov, 14:00": of UTC. */
export const bucketName = (start, bucket) =>
  new Date(start).toLocaleString("en-GB", bucket === "hour" ? { ...DAY, ...HOUR } : DAY);
