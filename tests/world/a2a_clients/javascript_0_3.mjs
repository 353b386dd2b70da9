// A2A 0.3, by the JavaScript SDK 0.3: argv = its client module, the agent's address, what to play.
import { randomUUID } from 'node:crypto';

const [, , sdk, url, part] = process.argv;
const { ClientFactory } = await import(sdk);
const client = await new ClientFactory().createFromUrl(url);

const asked = (value, configuration) => ({
  message: {
    kind: 'message',
    messageId: randomUUID(),
    role: 'user',
    parts: [{ kind: 'text', text: value }],
  },
  configuration,
});
const text = (artifacts) => artifacts.flatMap((a) => a.parts).map((p) => p.text).join('');
const refused = async (call) => call.then(() => null, (error) => error.errorResponse.error.code);

async function talk() {
  const whole = await client.sendMessage(asked('ping'));
  const pieces = [], states = [], lasts = [];
  for await (const event of client.sendMessageStream(asked('ping'))) {
    if (event.kind === 'artifact-update') {
      pieces.push(text([event.artifact]));
      lasts.push(event.lastChunk ?? false);
    } else states.push(event.status.state);
  }
  const again = await client.getTask({ id: whole.id });
  return {
    version: '0.3',
    whole: text(whole.artifacts),
    state: whole.status.state,
    again: text(again.artifacts),
    pieces: pieces.join(''),
    states,
    last: lasts.indexOf(true) === lasts.length - 1,
    unknown: await refused(client.getTask({ id: 'nobody' })),
    empty: await refused(client.sendMessage({ message: { ...asked('').message, parts: [] } })),
  };
}

async function cancel() {
  const { id } = await client.sendMessage(asked('ping', { blocking: false }));
  const cancelled = await client.cancelTask({ id });
  const again = await client.getTask({ id });
  return { state: cancelled.status.state, again: again.status.state };
}

console.log(JSON.stringify(await { talk, cancel }[part]()));
