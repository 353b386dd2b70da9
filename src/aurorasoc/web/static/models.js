// The models that a provider lists: asked with what is saved, or with what is typed.

import { useEffect, useRef, useState } from "./htm-preact-standalone.js";
import { call } from "./api.js";
import { explain } from "./errors.js";
import { report, useAnswering } from "./store.js";

// Problems of the chosen model: the provider lists others.
const OF_THE_MODEL = ["no_model_configured", "model_retired"];
const NONE = { of: null, names: [], text: "" };

/** Where the saved values of a connection lead; nowhere while it can't be called. */
export const asSaved = (row) => ({
  connection: row?.connection,
  saved: [row?.key_last4, row?.key_set_at, row?.base_url],
  askable: row?.problems.every(({ code }) => OF_THE_MODEL.includes(code)) ?? false,
});

/** The same with changes of address or key that aren't saved yet. */
export function asTyped(row, changes, moved) {
  const typed = Object.entries(changes).filter(([name]) => ["base_url", "api_key"].includes(name));
  if (typed.length === 0) return asSaved(row);
  const keyed = changes.api_key || (row.key_present && !moved) || (!row.key_present && !row.needs_key);
  return { ...asSaved(row), askable: Boolean(keyed), body: Object.fromEntries(typed) };
}

/**
 * `names`, and in `text` how many, or why there are none.
 *
 * What is saved is asked with at once; what is typed (`body`) when the list is opened, as half a key
 * is no use anywhere.
 */
export function useModels({ connection, saved, askable, body }) {
  const of = JSON.stringify([connection, saved, body]);
  const [found, setFound] = useState(NONE);
  const asked = useRef(null);
  const answering = useAnswering();

  async function read() {
    if (!askable || asked.current === of) return;
    asked.current = of;
    const show = (names, text) => asked.current === of && setFound({ of, names, text });
    show([], "Reading its list of models…"); // short: what comes next mustn't move the form
    try {
      const path = `/system/llm/providers/${connection}/models`;
      const { models } = await call(body ? "POST" : "GET", path, { body });
      show(models, `The provider lists ${counted(models.length)}.`);
    } catch (problem) {
      show([], `The provider's list of models can't be read: ${explain(problem).title}.`);
      if (asked.current === of) asked.current = null; // it is asked for again
      report(problem);
    }
  }
  useEffect(() => {
    if (answering && !body) read();
  }, [of, askable, answering]);
  const toOpen = body && askable ? "Open the list to read it with what you typed." : "";
  const { names, text } = found.of === of ? found : { names: [], text: toOpen };
  return { names, text, read };
}

const counted = (models) => `${models || "no"} model${models === 1 ? "" : "s"}`;
