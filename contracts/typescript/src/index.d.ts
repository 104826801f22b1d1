import type {
  AgentRequest,
  AgentView,
  DatasetPage,
  DatasetView,
  DeploymentView,
  JobAccepted,
  JobRequest,
  JobView,
  LineageView,
  ModelView,
  Operations,
  Page_AgentView_,
  Page_JobSummary_,
  Page_ModelView_,
  RollBackRequest,
} from './api.js';

export type * from './api.js';

export interface ClientOptions {
  /** Address of the gateway, such as http://localhost:8080. */
  url: string;
  apiKey: string;
  /** Attempts of one request in all, while the gateway is busy or away; 5. */
  attempts?: number;
  /** Longest wait for one answer [ms]; 30,000. */
  timeoutMs?: number;
  fetch?: typeof fetch;
}

/** The specification's functions. */
export type FunctionName =
  | 'trainAgent'
  | 'adaptAgentBehavior'
  | 'generateSyntheticTrainingData'
  | 'validateModel'
  | 'benchmarkAgent'
  | 'analyzeAgentLogs';

type FunctionOperation<Name extends FunctionName> = Operations[`POST /v1/functions/${Name}`];

export interface CallOptions {
  signal?: AbortSignal;
  /** Makes a repetition from another process one request too; by default each call has its own. */
  idempotencyKey?: string;
  /** Further headers, such as `traceparent`. */
  headers?: Record<string, string>;
}

type Path<Op extends keyof Operations> = keyof Operations[Op]['path'] extends never
  ? { path?: undefined }
  : { path: Operations[Op]['path'] };
type Body<Op extends keyof Operations> = Operations[Op]['body'] extends undefined
  ? { body?: undefined }
  : { body: Operations[Op]['body'] };
type Parts<Op extends keyof Operations> = Path<Op> &
  Body<Op> & { query?: Operations[Op]['query'] } & CallOptions;

type Sent = { accepted: number; event_ids: string[] };
type One<Op extends keyof Operations> = Operations[Op]['body'] extends infer Union
  ? Exclude<Union, unknown[] | { events: unknown }>
  : never;

export interface WaitOptions {
  timeoutMs?: number;
  onProgress?: (job: JobView) => void;
  /** False: a job that gave no version is returned too. */
  check?: boolean;
}

/** An event of the system: its type, such as ModelDeployed, its id, and its body. */
export interface ServerEvent {
  id: string;
  type: string;
  data: any;
}

export interface ArchonClient {
  /** Any request of the API, by its method and path. */
  request<Op extends keyof Operations>(
    operation: Op,
    parts?: Parts<Op>,
  ): Promise<Operations[Op]['answer']>;
  functions: {
    invoke<Name extends FunctionName>(
      name: Name,
      body: FunctionOperation<Name>['body'],
      options?: CallOptions,
    ): Promise<FunctionOperation<Name>['answer']>;
  };
  feedback: {
    send(events: One<'POST /v1/feedback'> | One<'POST /v1/feedback'>[]): Promise<Sent>;
    retract(
      events: One<'POST /v1/feedback/retractions'> | One<'POST /v1/feedback/retractions'>[],
    ): Promise<Sent>;
  };
  interactions: {
    log(events: One<'POST /v1/interactions'> | One<'POST /v1/interactions'>[]): Promise<Sent>;
  };
  annotations: {
    submit(events: One<'POST /v1/annotations'> | One<'POST /v1/annotations'>[]): Promise<Sent>;
  };
  agents: {
    configure(body: AgentRequest): Promise<AgentView>;
    get(agentId: string): Promise<AgentView>;
    list(query?: Operations['GET /v1/agents']['query']): Promise<Page_AgentView_>;
  };
  datasets: {
    upload(body: Exclude<Operations['POST /v1/datasets']['body'], string>): Promise<DatasetView>;
    get(name: string): Promise<DatasetView>;
    list(query?: Operations['GET /v1/datasets']['query']): Promise<DatasetPage>;
  };
  jobs: {
    start(body: JobRequest): Promise<JobAccepted>;
    get(jobId: string): Promise<JobView>;
    list(query?: Operations['GET /v1/jobs']['query']): Promise<Page_JobSummary_>;
    cancel(jobId: string, reason: string): Promise<Record<string, string>>;
    /** The job once it has ended; throws JobUnsuccessfulError where it gave no version. */
    wait(jobId: string, options?: WaitOptions): Promise<JobView>;
  };
  models: {
    list(
      agentId: string,
      query?: Operations['GET /v1/agents/{agent_id}/models']['query'],
    ): Promise<Page_ModelView_>;
    get(agentId: string, version: string): Promise<ModelView>;
    lineage(agentId: string, version: string): Promise<LineageView>;
    deployed(agentId: string): Promise<DeploymentView>;
    deploy(agentId: string, version: string, reason: string): Promise<Record<string, string>>;
    rollBack(agentId: string, body: RollBackRequest): Promise<Record<string, string>>;
  };
  /** Events as they come; ends with the signal. */
  events(filter?: {
    agentId?: string;
    types?: string[];
    lastEventId?: string;
    signal?: AbortSignal;
  }): AsyncGenerator<ServerEvent>;
}

export function createClient(options: ClientOptions): ArchonClient;

/** The gateway refused a request: `field` is the first one that breaks a rule, `errors` all. */
export class ArchonError extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: { field: string; rule: string; message: string }[];
  readonly limit: string;
  readonly traceId: string;
  readonly field: string;
}

/** No answer in all attempts; sending again is safe. */
export class ArchonUnavailableError extends Error {}

/** A job that was waited for ended without a new version. */
export class JobUnsuccessfulError extends Error {
  readonly job: JobView;
  readonly state: string;
  readonly reason: string;
}
