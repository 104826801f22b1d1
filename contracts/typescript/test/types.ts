// Never run: the type checker reads it. The specification's calls have these types.
import { createClient, type JobView } from '../src/index.js';

const sdk = createClient({ url: 'http://localhost:8080', apiKey: 'key' });

export async function calls(): Promise<string> {
  const job = await sdk.functions.invoke('trainAgent', {
    agentId: 'agent-123',
    config: {
      method: 'supervised',
      dataset: 'training-data-v1',
      epochs: 10,
      batchSize: 32,
      learningRate: 0.001,
      validation: { split: 0.15, frequency: 'epoch' },
    },
  });
  // @ts-expect-error: a method that does not exist
  await sdk.functions.invoke('trainAgent', { agentId: 'a', config: { method: 'osmosis' } });
  // @ts-expect-error: a function that does not exist
  await sdk.functions.invoke('trainAgents', { agentId: 'a' });
  // @ts-expect-error: the body lacks agent_id
  await sdk.jobs.start({ method: 'supervised' });
  // @ts-expect-error: the path lacks job_id
  await sdk.request('GET /v1/jobs/{job_id}', {});
  const found: JobView = await sdk.request('GET /v1/jobs/{job_id}', { path: { job_id: job.jobId } });
  await sdk.feedback.send({ agent_id: 'a', interaction_id: 'i', input: 'q', rating: 4 });
  return found.state;
}
