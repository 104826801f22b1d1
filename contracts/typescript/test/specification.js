/**
 * The specification's examples, word for word, and what else the client promises, against a running
 * gateway: `ARCHON_URL=... ARCHON_API_KEY=... ARCHON_AGENT=agent-123 node test/specification.js`.
 * Prints one JSON document; the dataset and the agent exist.
 */

import { ArchonError, createClient } from '../src/index.js';

const { ARCHON_URL: url, ARCHON_API_KEY: apiKey } = process.env;
const sdk = createClient({ url, apiKey });

const trainingJob = await sdk.functions.invoke('trainAgent', {
  agentId: 'agent-123',
  config: {
    method: 'supervised',
    dataset: 'training-data-v1',
    epochs: 10,
    batchSize: 32,
    learningRate: 0.001,
    validation: {
      split: 0.15,
      frequency: 'epoch'
    }
  }
});

const syntheticData = await sdk.functions.invoke('generateSyntheticTrainingData', {
  scenarioType: 'customer-support',
  count: 1000,
  difficulty: 'medium',
  edgeCases: true,
  diversity: 0.8
});

const adaptation = await sdk.functions.invoke('adaptAgentBehavior', {
  agentId: 'agent-123',
  feedback: [
    { input: '...', expected: '...', actual: '...', rating: 3 },
    // more feedback items
  ],
  method: 'reinforcement'
});

const analysis = await sdk.functions.invoke('analyzeAgentLogs', { agentId: 'agent-123' });
// Nothing of the agent is evaluated yet, which is a refusal that says so.
const benchmark = await sdk.functions
  .invoke('benchmarkAgent', { agentId: 'agent-123', run: false })
  .catch((error) => error);
const refusal = await sdk.functions
  .invoke('validateModel', { agentId: 'agent-123', latencyLimitSeconds: -1 })
  .catch((error) => error);
if (!(refusal instanceof ArchonError)) throw new Error('validateModel took an invalid limit');

const stopped = new AbortController();
const events = sdk.events({ agentId: 'agent-123', signal: stopped.signal });
const firstEvent = events.next();
const sent = await sdk.feedback.send({
  agent_id: 'agent-123',
  interaction_id: `ts-${Date.now()}`,
  input: 'I lost my card',
  actual: 'greeting',
  expected: 'lost_card',
});
const job = await sdk.jobs.get(trainingJob.jobId);
console.log('ready');
const event = (await firstEvent).value;
stopped.abort();

console.log(
  JSON.stringify({
    trainingJob,
    job: { method: job.method, dataset: job.dataset_name, config: job.config },
    syntheticData,
    adaptation,
    analysis,
    benchmark: benchmark.detail,
    refused: refusal.field,
    sent,
    event,
  }),
);
process.exit(0);
