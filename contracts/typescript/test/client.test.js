/** The client against a gateway of a few lines: repetition, errors, event streams. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';

import {
  ArchonError,
  ArchonUnavailableError,
  JobUnsuccessfulError,
  createClient,
} from '../src/index.js';
import { EventStreamParser } from '../src/event_stream.js';

/** @type {{ method: string, url: string, headers: any, body: any }[]} */
let requests = [];
/** @type {((response: import('node:http').ServerResponse) => void)[]} */
let answers = [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: body && JSON.parse(body) });
    const answer = answers.shift() ?? json(202, { accepted: 1, event_ids: ['e'] });
    answer(response);
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
after(() => server.close());
const url = `http://127.0.0.1:${server.address().port}`;

const json = (status, body, headers = {}) => (response) =>
  response
    .writeHead(status, { 'Content-Type': 'application/json', ...headers })
    .end(JSON.stringify(body));
const stream = (...chunks) => (response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (const chunk of chunks) response.write(chunk);
  response.end();
};

function client(options = {}) {
  requests = [];
  answers = [];
  return createClient({ url, apiKey: 'key', ...options });
}

test('a write is repeated under its key, and another call has another one', async () => {
  const sdk = client();
  answers = [json(503, { title: 'Busy' }, { 'Retry-After': '0' }), json(202, { job_id: '1' })];

  await sdk.jobs.start({ agent_id: 'a', method: 'supervised' });
  await sdk.jobs.start({ agent_id: 'a', method: 'supervised' });

  const keys = requests.map((each) => each.headers['idempotency-key']);
  assert.equal(keys[0], keys[1]);
  assert.notEqual(keys[1], keys[2]);
  assert.equal(requests[0].headers.authorization, 'Bearer key');
});

test('feedback has ids of its own and so no key', async () => {
  const sdk = client();

  await sdk.feedback.send({ agent_id: 'a', interaction_id: 'i', input: 'q', rating: 4 });
  await sdk.interactions.log([{ agent_id: 'a', interaction_id: 'i', input: 'q' }]);

  assert.deepEqual(
    requests.map((each) => [each.url, each.headers['idempotency-key'], each.body.events.length]),
    [
      ['/v1/feedback', undefined, 1],
      ['/v1/interactions', undefined, 1],
    ],
  );
});

test('a refusal names its field', async () => {
  const sdk = client();
  const errors = [{ field: 'config.epochs', rule: 'gt', message: 'must be above 0' }];
  const detail = 'config.epochs: must be above 0';
  answers = [json(422, { title: 'Unprocessable', detail, errors, trace_id: 't' })];

  await assert.rejects(sdk.functions.invoke('trainAgent', {}), (error) => {
    assert(error instanceof ArchonError);
    assert.deepEqual([error.status, error.field, error.traceId], [422, 'config.epochs', 't']);
    assert.equal(error.message, '422 Unprocessable: config.epochs: must be above 0');
    return true;
  });
  assert.equal(requests.length, 1);
});

test('nobody there is said after the attempts', async () => {
  const sdk = createClient({ url: 'http://127.0.0.1:1', apiKey: 'key', attempts: 2 });

  await assert.rejects(sdk.agents.list(), ArchonUnavailableError);
});

test('parameters are encoded, and a missing one is named', async () => {
  const sdk = client();

  await sdk.models.list('a b/c', { where: ['status=ready', 'accuracy>=0.8'], limit: 5 });

  assert.equal(
    requests[0].url,
    '/v1/agents/a%20b%2Fc/models?where=status%3Dready&where=accuracy%3E%3D0.8&limit=5',
  );
  await assert.rejects(sdk.request('GET /v1/jobs/{job_id}', { path: {} }), /path\.job_id is missing/);
});

test('a job without a version is an error that says why', async () => {
  const sdk = client();
  const job = { job_id: '1', state: 'training', reason: '' };
  const end = { job_id: '1', state: 'rejected', reason: 'worse than 1.0.0' };
  answers = [json(200, job), json(200, end), json(200, end)];
  const states = [];

  await assert.rejects(
    sdk.jobs.wait('1', { onProgress: (each) => states.push(each.state) }),
    (error) => error instanceof JobUnsuccessfulError && error.reason === 'worse than 1.0.0',
  );
  assert.deepEqual(states, ['training', 'rejected']);
  assert.equal((await sdk.jobs.wait('1', { check: false })).state, 'rejected');
});

test('a lost event stream goes on after the last whole event', async () => {
  const sdk = client();
  answers = [
    stream(': ping\n\nid: 1\nevent: ModelDep', 'loyed\ndata: {"version":"1.0.0"}\n\nid: 9\ndata: {'),
    stream('id: 2\r\nevent: JobCompleted\r\ndata: {"a":"ü"}\r\n\r\n'),
  ];
  const found = [];

  for await (const event of sdk.events({ agentId: 'a', types: ['ModelDeployed'] })) {
    found.push([event.id, event.type, event.data]);
    if (found.length === 2) break;
  }

  assert.deepEqual(found, [
    ['1', 'ModelDeployed', { version: '1.0.0' }],
    ['2', 'JobCompleted', { a: 'ü' }],
  ]);
  assert.equal(requests[0].url, '/v1/events?agent_id=a&types=ModelDeployed');
  assert.equal(requests[1].headers['last-event-id'], '1');
});

test('a character that is cut between two chunks is whole', async () => {
  const bytes = new TextEncoder().encode('data: "ü"\n\n');
  async function* chunks() {
    for (const byte of bytes) yield Uint8Array.of(byte);
  }
  const events = [];
  for await (const event of new EventStreamParser().read(chunks())) events.push(event.data);

  assert.deepEqual(events, ['ü']);
});

test('a key or an address that cannot be used is refused at once', () => {
  assert.throws(() => createClient({ url, apiKey: 'key\n' }), /newline/);
  assert.throws(() => createClient({ url: 'ftp://x', apiKey: 'k' }), /http/);
  assert.throws(() => createClient({ url: 'http://me:secret@x', apiKey: 'k' }), /the key is enough/);
});
