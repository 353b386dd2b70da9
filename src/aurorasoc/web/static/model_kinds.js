// Which of a provider's models to offer, and in which order. Pure.
//
// A name proves nothing of what a model can do, so this only hides: whatever is hidden can be shown,
// typed and tested. Chat models are never told by their names.

const WORDS = [
  ..."embed embedding embeddings embedder bge gte e5 minilm rerank reranker".split(" "),
  ..."tts whisper transcribe transcription speech audio realtime live lyria".split(" "),
  ..."dall image images imagen diffusion flux ocr veo sora video".split(" "),
  ..."moderation guard safeguard davinci babbage aqa".split(" "),
];
const OTHERS = new RegExp(`(^|[^a-z])(${WORDS.join("|")})(?![a-z])`);

const SHOWN = 200;

/** Whether a name is none of a model for embeddings, speech, pictures, moderation and the like. */
export const mayChat = (name) => !OTHERS.test(name.toLowerCase());

/** What a model is grouped under: who made it, or the word that its name begins with. */
export function familyOf(name) {
  const [maker, ...rest] = name.split("/");
  if (rest.length) return maker.toLowerCase();
  return name.toLowerCase().match(/^[a-z]+/)?.[0] ?? "others";
}

/**
 * The names to offer for what was typed, all of whose words they contain.
 *
 * Returns `families` of `{family, names}`, in the provider's order; `hidden` counts those that don't
 * chat, unless `all` are wanted; `more` those that are too many to show.
 */
export function offered(names, typed, all) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = names.filter((name) => words.every((word) => name.toLowerCase().includes(word)));
  const some = all ? matching : matching.filter(mayChat);
  return {
    families: byFamily(some.slice(0, SHOWN)),
    hidden: matching.length - some.length,
    more: Math.max(0, some.length - SHOWN),
  };
}

function byFamily(names) {
  const families = new Map();
  for (const name of names) {
    const family = familyOf(name);
    families.set(family, [...(families.get(family) ?? []), name]);
  }
  return [...families].map(([family, its]) => ({ family, names: its }));
}
