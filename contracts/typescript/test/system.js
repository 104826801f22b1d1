/**
 * A training of a running system from its request to its deployed version:
 * `ARCHON_URL=... ARCHON_API_KEY=... node test/system.js AGENT DATASET`. Prints the version.
 */

import { createClient } from '../src/index.js';

const [agent, dataset] = process.argv.slice(2);
const sdk = createClient({ url: process.env.ARCHON_URL, apiKey: process.env.ARCHON_API_KEY });

const started = await sdk.functions.invoke('trainAgent', {
  agentId: agent,
  config: { method: 'supervised', dataset },
});
const job = await sdk.jobs.wait(started.jobId, { timeoutMs: 200_000 });
const deployed = await sdk.models.deployed(agent);
console.log(JSON.stringify({ version: job.version, deployed: deployed.version }));
