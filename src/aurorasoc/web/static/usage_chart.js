// Bars over time, in one colour: what they stand for is written beside them, and a table has the
// exact numbers. SVG without text, which would shrink with it.

import { html } from "./htm-preact-standalone.js";
import { mostOf, series } from "./usage_sums.js";
import { countWords, scaleEnd } from "./usage_numbers.js";
import { bucketName } from "./usage_times.js";

const WIDTH = 10; // of a bar with its gap, in units of the drawing
const GAP = 2;
const HEIGHT = 100;
const LEAST = 2; // what is more than nothing can be seen

/** A count as somebody would say it: "1.23K tokens". */
const spoken = (count, { short, unknown, unit }) => {
  const words = countWords(count, { write: short, unknown });
  return count.counted > 0 && unit ? `${words} ${unit}` : words;
};

/** The total, with a scale and times. `view` is `{bucket, starts}`. */
export function TotalChart({ cells, view, measure, of }) {
  const counts = series(cells, view.starts, of);
  const end = scaleEnd(mostOf(counts));
  const label = `${measure.words} by ${view.bucket}. ${peak(counts, view, measure)}`;
  const times = [0, Math.floor((view.starts.length - 1) / 2), view.starts.length - 1];
  return html`
    <figure class="chart">
      <div class="scale" aria-hidden="true">
        ${[end, end / 2, 0].map((value) => html`<span key=${value}>${measure.short(value)}</span>`)}
      </div>
      <${Bars} ...${{ counts, view, measure, end, label }} lines />
      <div class="times" aria-hidden="true">
        ${times.map((at) => html`<span key=${at}>${bucketName(view.starts[at], view.bucket)}</span>`)}
      </div>
      <figcaption class="hint">
        ${peak(counts, view, measure)} Days and hours are UTC.
        ${counts.some((count) => count.missing > 0) &&
        html` <span class="missing-mark" aria-hidden="true"></span> marks what is ${measure.unknown}.`}
      </figcaption>
    </figure>
  `;
}

/** One key's part, on the scale that all keys share. */
export function Lane({ cells, view, measure, of, end, name }) {
  const counts = series(cells, view.starts, of);
  const label = `${measure.words} of ${name} by ${view.bucket}. ${peak(counts, view, measure)}`;
  return html`<${Bars} ...${{ counts, view, measure, end, label }} />`;
}

/** "Most: 1.23K tokens, 28 Nov." */
function peak(counts, { starts, bucket }, measure) {
  const most = mostOf(counts);
  const at = counts.findIndex((count) => count.counted > 0 && count.known === most);
  if (at < 0) return counts.some((count) => count.missing > 0) ? `All of it is ${measure.unknown}.` : "";
  return `Most: ${spoken(counts[at], measure)}, ${bucketName(starts[at], bucket)}.`;
}

function Bars({ counts, view, measure, end, label, lines }) {
  const width = counts.length * WIDTH;
  return html`
    <svg
      class="bars"
      viewBox="0 0 ${width} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label=${label}
    >
      ${(lines ? [0, HEIGHT / 2, HEIGHT] : [HEIGHT]).map(
        (y) => html`<line key=${y} x1="0" x2=${width} y1=${y} y2=${y} />`,
      )}
      ${counts.map((count, index) => {
        const exact = spoken(count, { ...measure, short: measure.write });
        const said = `${bucketName(view.starts[index], view.bucket)}: ${exact}`;
        return html`<${Bar} key=${index} ...${{ count, index, end, said }} />`;
      })}
    </svg>
  `;
}

function Bar({ count, index, end, said }) {
  const x = index * WIDTH + GAP / 2;
  const width = WIDTH - GAP;
  const height = count.known > 0 ? Math.max(LEAST, (count.known / end) * HEIGHT) : 0;
  const rest = HEIGHT - height;
  return html`
    <g>
      <title>${said}</title>
      <rect class="reach" x=${index * WIDTH} y="0" width=${WIDTH} height=${HEIGHT} />
      ${height > 0 && html`<rect class="bar" ...${{ x, y: rest, width, height }} />`}
      ${count.missing > 0 &&
      html`<rect class="missing" ...${{ x, y: Math.max(0, rest - 12), width }} height="12" />`}
    </g>
  `;
}
