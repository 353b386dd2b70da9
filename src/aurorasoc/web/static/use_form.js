// What was typed into a connection's form, and what can be done with it.

import { useState } from "./htm-preact-standalone.js";
import { useAddress } from "./address.js";
import { useChange } from "./change.js";
import { changesOf, emptyDraft, isDirty, isKeyAlone, shown } from "./draft.js";
import { leavesKeyBehind, shownOptions, testsOf } from "./draft.js";
import { oldKeyText, PATIENCE } from "./old_key.js";
import { useTest } from "./probe.js";
import { useUnsaved } from "./unsaved.js";

export function useForm(row) {
  const [draft, setDraft] = useState(emptyDraft);
  const [done, setDone] = useState("");
  const [verify, setVerify] = useState(true);
  const change = useChange();
  const test = useTest(row.connection);
  const changes = changesOf(draft, row);
  const address = useAddress(row.provider, shown(draft, row, "base_url"));
  const moved = leavesKeyBehind(draft, row, address.base_url);
  useUnsaved(isDirty(changes));
  const forget = () => setDraft(emptyDraft());
  const type = (typed) => {
    setDraft({ ...draft, ...typed });
    test.forget(); // it was of something else
  };
  const place = `/system/llm/connections/${row.connection}`;
  const key = `/system/llm/providers/${row.connection}/key`;

  async function make(text, send) {
    setDone("");
    test.forget();
    const answer = await change.run(send);
    if (!answer) return null;
    forget();
    setDone([text, oldKeyText(answer)].filter(Boolean).join(" "));
    return answer;
  }
  const wait = row.key_present ? `wait=${PATIENCE}` : "";
  const put = (testFirst) => (call) => {
    const query = `verify=${testFirst}&${changes.api_key ? wait : ""}`;
    return isKeyAlone(changes)
      ? call("PUT", `${key}?${query}`, changes)
      : call("PUT", `${place}?${query}`, { provider: row.provider, ...changes });
  };
  return {
    ...{ address, change, changes, done, forget, moved, setVerify, test, verify },
    field: (name) => ({
      ...{ draft, row, name },
      onType: (text) => type({ [name]: text }),
    }),
    options: {
      typed: shownOptions(draft, row),
      onType: (options) => type({ options }),
    },
    save: (testFirst) => make(savedText(changes, row), put(testFirst)),
    removeKey: () => make("The stored key is removed.", (call) => call("DELETE", `${key}?${wait}`)),
    remove: () => make("", (call) => call("DELETE", place)),
    testTyped: () => (setDone(""), test.run(testsOf(changes, row))),
  };
}

function savedText(changes, row) {
  if (isKeyAlone(changes)) return "The key is stored. It is never shown again.";
  return row.active ? "Saved, and in force here." : "Saved.";
}
