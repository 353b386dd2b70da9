// A2A 1.0, by the JavaScript SDK 1.x: argv = its client module, the agent's address, what to play.
import { randomUUID } from 'node:crypto';

const [, , sdk, url, part, binding] = process.argv;
const { ClientFactory, ClientFactoryOptions, JsonRpcTransportFactory, RestTransportFactory } = await import(sdk);
const only = { JSONRPC: JsonRpcTransportFactory, 'HTTP+JSON': RestTransportFactory }[binding];
const options = only && { ...ClientFactoryOptions.default, transports: [new only()] };
const client = await new ClientFactory(options).createFromUrl(url);

const asked = (text, configuration) => ({
  message: {
    messageId: randomUUID(),
    role: 1,
    parts: [{ content: { $case: 'text', value: text } }],
  },
  configuration,
});
const text = (artifacts) => artifacts.flatMap((a) => a.parts).map((p) => p.content.value).join('');
const STATES = ['unspecified', 'submitted', 'working', 'completed', 'failed', 'canceled'];
const state = (of) => STATES[of.status.state];
const refused = async (call) => call.then(() => null, (error) => error.envelopeCode ?? error.reason);

async function talk() {
  const whole = await client.sendMessage(asked('ping'));
  const pieces = [], states = [], lasts = [];
  for await (const { payload } of client.sendMessageStream(asked('ping'))) {
    const { $case: kind, value } = payload;
    if (kind === 'artifactUpdate') {
      pieces.push(text([value.artifact]));
      lasts.push(value.lastChunk);
    } else states.push(state(value));
  }
  const again = await client.getTask({ id: whole.id, historyLength: 0 });
  return {
    version: client.protocolVersion,
    whole: text(whole.artifacts),
    state: state(whole),
    again: text(again.artifacts),
    pieces: pieces.join(''),
    states,
    last: lasts.indexOf(true) === lasts.length - 1,
    unknown: await refused(client.getTask({ id: 'nobody' })),
    empty: await refused(client.sendMessage({ message: { ...asked('').message, parts: [] } })),
  };
}

async function cancel() {
  const { id } = await client.sendMessage(asked('ping', { returnImmediately: true }));
  const cancelled = await client.cancelTask({ id });
  return { state: state(cancelled), again: state(await client.getTask({ id })) };
}

console.log(JSON.stringify(await { talk, cancel }[part]()));
