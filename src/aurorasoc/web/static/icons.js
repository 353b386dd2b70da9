// Shapes that say the same as the words beside them, so that no state is told by colour alone.

import { html } from "./htm-preact-standalone.js";

const PATHS = {
  ok: html`<circle cx="8" cy="8" r="6.5" /><path d="m5.2 8.2 2 2 3.6-4.2" />`,
  warn: html`<path d="M8 1.8 14.8 14H1.2Z" /><path d="M8 6.2v3.6M8 11.9v.2" />`,
  bad: html`
    <path d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3Z" />
    <path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4" />
  `,
  off: html`<circle cx="8" cy="8" r="6.5" stroke-dasharray="2.6 2.5" />`,
  wait: html`<circle cx="8" cy="8" r="6.5" /><path d="M8 4.4V8l2.4 1.6" />`,
  leaves: html`<path d="M8.8 2.5H2.5v11h11V7.2" /><path d="M7 9 14 2m-4.5 0H14v4.5" />`,
  stays: html`
    <path d="M2 7.6 8 2.4l6 5.2" />
    <path d="M3.8 6.4v7.1h8.4V6.4M6.6 13.5V9.8h2.8v3.7" />
  `,
  key: html`<circle cx="5.2" cy="10.8" r="3.2" /><path d="m7.6 8.4 6-6M11 5l2 2" />`,
  info: html`<circle cx="8" cy="8" r="6.5" /><path d="M8 7.4v3.8M8 4.8v.2" />`,
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">${PATHS[name]}</svg>
`;
