/** The client: `createClient({ url, apiKey })`. Needs `fetch` (Node 20.3, browsers, Deno, Bun). */

import { Transport } from './transport.js';

export { ArchonError, ArchonUnavailableError, JobUnsuccessfulError } from './errors.js';
import { JobUnsuccessfulError } from './errors.js';

/** States that a job does not leave. */
const FINAL_STATES = new Set(['completed', 'rejected', 'failed', 'cancelled']);
const FIRST_POLL_MS = 250;
const LONGEST_POLL_MS = 2000;

/**
 * @param {import('./index.d.ts').ClientOptions} options
 * @returns {import('./index.d.ts').ArchonClient}
 */
export function createClient(options) {
  const transport = new Transport(options);
  /** @type {any} */
  const request = (/** @type {string} */ operation, /** @type {any} */ parts) =>
    transport.request(operation, parts);
  const send = (/** @type {string} */ path) => (/** @type {any} */ events) => {
    const many = Array.isArray(events) ? events : [events];
    return request(`POST ${path}`, { body: { events: many } });
  };
  return {
    request,
    functions: {
      /** @type {any} */
      invoke: (/** @type {string} */ name, /** @type {any} */ body, /** @type {any} */ call) =>
        request(`POST /v1/functions/${encodeURIComponent(name)}`, { body, ...call }),
    },
    feedback: { send: send('/v1/feedback'), retract: send('/v1/feedback/retractions') },
    interactions: { log: send('/v1/interactions') },
    annotations: { submit: send('/v1/annotations') },
    agents: buildAgents(request),
    datasets: buildDatasets(request),
    jobs: buildJobs(request),
    models: buildModels(request),
    events: (filter) => transport.events(filter ?? {}),
  };
}

/** @param {any} request @returns {any} */
function buildAgents(request) {
  return {
    configure: (/** @type {any} */ body) => request('POST /v1/agents', { body }),
    get: (/** @type {string} */ agent_id) =>
      request('GET /v1/agents/{agent_id}', { path: { agent_id } }),
    list: (/** @type {any} */ query) => request('GET /v1/agents', { query }),
  };
}

/** @param {any} request @returns {any} */
function buildDatasets(request) {
  return {
    upload: (/** @type {any} */ body) => request('POST /v1/datasets', { body }),
    get: (/** @type {string} */ name) => request('GET /v1/datasets/{name}', { path: { name } }),
    list: (/** @type {any} */ query) => request('GET /v1/datasets', { query }),
  };
}

/** @param {any} request @returns {any} */
function buildJobs(request) {
  const get = (/** @type {string} */ job_id) =>
    request('GET /v1/jobs/{job_id}', { path: { job_id } });
  return {
    start: (/** @type {any} */ body) => request('POST /v1/jobs', { body }),
    get,
    list: (/** @type {any} */ query) => request('GET /v1/jobs', { query }),
    cancel: (/** @type {string} */ job_id, /** @type {string} */ reason) =>
      request('POST /v1/jobs/{job_id}/cancel', { path: { job_id }, body: { reason } }),
    wait: (/** @type {string} */ job_id, /** @type {any} */ options) =>
      waitForJob(get, job_id, options ?? {}),
  };
}

/**
 * The job once it has ended.
 *
 * @param {any} get
 * @param {string} jobId
 * @param {{ timeoutMs?: number, onProgress?: (job: any) => void, check?: boolean }} options
 */
async function waitForJob(get, jobId, { timeoutMs = 3_600_000, onProgress, check = true }) {
  const end = Date.now() + timeoutMs;
  for (let poll = FIRST_POLL_MS; ; poll = Math.min(poll * 1.5, LONGEST_POLL_MS)) {
    const job = await get(jobId);
    onProgress?.(job);
    if (FINAL_STATES.has(job.state)) {
      if (check && job.state !== 'completed') throw new JobUnsuccessfulError(job);
      return job;
    }
    if (Date.now() + poll > end) {
      throw new Error(`job ${jobId} is ${job.state} after ${timeoutMs} ms; wait again or cancel it`);
    }
    await new Promise((resolve) => setTimeout(resolve, poll));
  }
}

/** @param {any} request @returns {any} */
function buildModels(request) {
  const path = (/** @type {string} */ agent_id, /** @type {string} */ version) => ({
    path: { agent_id, version },
  });
  const base = '/v1/agents/{agent_id}';
  return {
    list: (/** @type {string} */ agent_id, /** @type {any} */ query) =>
      request(`GET ${base}/models`, { path: { agent_id }, query }),
    get: (/** @type {string} */ agent_id, /** @type {string} */ version) =>
      request(`GET ${base}/models/{version}`, path(agent_id, version)),
    lineage: (/** @type {string} */ agent_id, /** @type {string} */ version) =>
      request(`GET ${base}/models/{version}/lineage`, path(agent_id, version)),
    deployed: (/** @type {string} */ agent_id) =>
      request(`GET ${base}/deployed`, { path: { agent_id } }),
    deploy: (
      /** @type {string} */ agent_id,
      /** @type {string} */ version,
      /** @type {string} */ reason,
    ) =>
      request(`POST ${base}/models/{version}/deploy`, { ...path(agent_id, version), body: { reason } }),
    rollBack: (/** @type {string} */ agent_id, /** @type {any} */ body) =>
      request(`POST ${base}/rollback`, { path: { agent_id }, body }),
  };
}
