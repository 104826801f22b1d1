/** Requests to the gateway, repeated while that may help. */

import { ArchonError, ArchonUnavailableError } from './errors.js';
import { EventStreamParser } from './event_stream.js';

/** What a later attempt may cure, of the gateway or of a proxy before it. */
const RETRYABLE = new Set([408, 429, 500, 502, 503, 504]);
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
/** Events of the feedback topic have ids that follow from them: a key would give them others. */
const OWN_IDS = /^\/v1\/(feedback|interactions|annotations)(\/|$)/;

export class Transport {
  /** @param {any} options as of `createClient` */
  constructor({ url, apiKey, attempts = 5, timeoutMs = 30_000, fetch = globalThis.fetch }) {
    const parsed = new URL(url);
    if (!/^https?:$/.test(parsed.protocol)) throw new TypeError('url must be http:// or https://');
    if (parsed.username || parsed.password) throw new TypeError('url has a user: the key is enough');
    if (!apiKey || !/^[\x21-\x7e]+$/.test(apiKey)) {
      throw new TypeError('apiKey is empty or has a character that no key has, such as a newline');
    }
    this.url = url.replace(/\/+$/, '');
    this.apiKey = apiKey;
    this.attempts = attempts;
    this.timeoutMs = timeoutMs;
    this.fetch = fetch;
  }

  /**
   * The answer of one operation, such as 'GET /v1/agents/{agent_id}'.
   *
   * @param {string} operation
   * @param {{ path?: any, query?: any, body?: any, headers?: any, idempotencyKey?: string,
   *   signal?: AbortSignal }} [parts]
   * @returns {Promise<any>}
   */
  async request(operation, parts = {}) {
    const [method = 'GET', template = ''] = operation.split(' ');
    const path = fillPath(template, parts.path ?? {});
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${this.apiKey}`, ...parts.headers };
    if (parts.body !== undefined) headers['Content-Type'] = 'application/json';
    if (method === 'POST' && !OWN_IDS.test(path)) {
      headers['Idempotency-Key'] ??= parts.idempotencyKey ?? crypto.randomUUID();
    }
    const body = parts.body === undefined ? undefined : JSON.stringify(parts.body);
    const address = this.url + path + toQuery(parts.query ?? {});
    const response = await this.#attempt(address, { method, headers, body }, parts.signal);
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    return isJson ? JSON.parse(text) : text;
  }

  /**
   * @param {string} address
   * @param {any} init
   * @param {AbortSignal} [signal]
   */
  async #attempt(address, init, signal) {
    /** @type {unknown} */
    let problem;
    for (let attempt = 0; attempt < this.attempts; attempt += 1) {
      let wait = Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
      const deadline = AbortSignal.timeout(this.timeoutMs);
      const either = signal ? AbortSignal.any([signal, deadline]) : deadline;
      try {
        const response = await this.fetch(address, { ...init, signal: either });
        if (response.ok) return response;
        const refusal = await readProblem(response);
        if (!RETRYABLE.has(response.status)) throw refusal;
        problem = refusal;
        wait = retryAfter(response, wait);
      } catch (error) {
        if (error instanceof ArchonError || signal?.aborted) throw error;
        problem = error;
      }
      if (attempt + 1 < this.attempts) await sleep(wait);
    }
    const why = problem instanceof Error ? problem.message : String(problem);
    throw new ArchonUnavailableError(`no answer in ${this.attempts} attempts: ${why}`, problem);
  }

  /**
   * Events as they come; a lost connection is made again, after the last event.
   *
   * @param {{ agentId?: string, types?: string[], lastEventId?: string, signal?: AbortSignal }} filter
   */
  async *events({ agentId, types, lastEventId = '', signal }) {
    const query = toQuery({ agent_id: agentId, types: types?.join(',') });
    const parser = new EventStreamParser(lastEventId);
    for (let failures = 0; failures < this.attempts; failures += 1) {
      /** @type {Record<string, string>} */
      const headers = { Authorization: `Bearer ${this.apiKey}`, Accept: 'text/event-stream' };
      if (parser.lastEventId) headers['Last-Event-ID'] = parser.lastEventId;
      try {
        const response = await this.fetch(`${this.url}/v1/events${query}`, { headers, signal });
        if (!response.ok) {
          const refusal = await readProblem(response);
          if (!RETRYABLE.has(response.status)) throw refusal;
        } else {
          for await (const event of parser.read(response.body)) {
            failures = 0;
            yield event;
          }
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof ArchonError) throw error;
      }
      await sleep(FIRST_WAIT_MS * 2 ** failures);
    }
    throw new ArchonUnavailableError(`the event stream was lost ${this.attempts} times in a row`);
  }
}

/** @param {string} template @param {Record<string, unknown>} values */
function fillPath(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => {
    if (values[name] === undefined) throw new TypeError(`path.${name} is missing for ${template}`);
    return encodeURIComponent(String(values[name]));
  });
}

/** @param {Record<string, unknown>} query */
function toQuery(query) {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((each) => each !== undefined && each !== null)
      .map((each) => [name, each instanceof Date ? each.toISOString() : String(each)]),
  );
  return pairs.length ? `?${new URLSearchParams(pairs)}` : '';
}

/** @param {Response} response */
async function readProblem(response) {
  const text = await response.text();
  try {
    return new ArchonError(response.status, JSON.parse(text));
  } catch {
    return new ArchonError(response.status, { title: response.statusText });
  }
}

/** @param {Response} response @param {number} otherwise [ms] */
function retryAfter(response, otherwise) {
  const text = (response.headers.get('retry-after') ?? '').trim();
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(wait) ? otherwise : Math.min(Math.max(wait, 0), LONGEST_WAIT_MS);
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
