// A2A by the JavaScript SDK 1.x: argv = its client module, the agent's address, what to play, and
// the only binding of 1.0, or `0.3`, that it may use.
import { randomUUID } from 'node:crypto';

const [, , sdk, url, part, binding] = process.argv;
const { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } =
  await import(sdk);

async function ofVersion03() {
  const legacyCompat = { enabled: true };
  const resolver = new DefaultAgentCardResolver({ legacyCompat });
  const card = await resolver.resolve(url);
  card.supportedInterfaces = card.supportedInterfaces.filter((one) => one.protocolVersion === '0.3');
  const transports = [new JsonRpcTransportFactory({ legacyCompat })];
  return new ClientFactory({ ...ClientFactoryOptions.default, transports }).createFromAgentCard(card);
}

function ofVersion1() {
  const only = { JSONRPC: JsonRpcTransportFactory, 'HTTP+JSON': RestTransportFactory }[binding];
  const options = only && { ...ClientFactoryOptions.default, transports: [new only()] };
  return new ClientFactory(options).createFromUrl(url);
}

const client = await (binding === '0.3' ? ofVersion03() : ofVersion1());

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
