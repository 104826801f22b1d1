"""Names of spans, metrics and attributes, after OpenTelemetry's semantic conventions 1.44.

Names under `archon.` are ours: the conventions have none for training. Units are in brackets.
"""

from __future__ import annotations

from typing import Final

# Attributes of the messaging conventions (status: development).
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_PARTITION: Final = "messaging.destination.partition.id"
MESSAGING_GROUP: Final = "messaging.consumer.group.name"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_BATCH_COUNT: Final = "messaging.batch.message_count"
MESSAGING_KAFKA_OFFSET: Final = "messaging.kafka.offset"
MESSAGING_KAFKA_KEY: Final = "messaging.kafka.message.key"
ERROR_TYPE: Final = "error.type"

# Attributes of the GenAI conventions (status: development).
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
GEN_AI_INVOKE_AGENT: Final = "invoke_agent"

# Our attributes.
TENANT_ID: Final = "archon.tenant.id"
AGENT_ID: Final = "archon.agent.id"
INTERACTION_ID: Final = "archon.interaction.id"
JOB_ID: Final = "archon.job.id"
JOB_STATE: Final = "archon.job.state"
JOB_ATTEMPT: Final = "archon.job.attempt"
LEARNT: Final = "archon.learning.learnt"
LEARNING_SIGNALS: Final = "archon.learning.signals"
"""Whether a run learnt something, and the signals of it; on the job's span."""
MODEL_VERSION: Final = "archon.model.version"
MODEL_DIGEST: Final = "archon.model.digest"
MODEL_ROLE: Final = "archon.model.role"  # candidate, deployed or baseline
WINDOW_ID: Final = "archon.window.id"
TRIGGER_REASON: Final = "archon.trigger.reason"
FEEDBACK_COUNT: Final = "archon.feedback.count"
OUTBOX_QUEUE_SECONDS: Final = "archon.outbox.queue_seconds"
TRAINING_STEP: Final = "archon.training.step"
TRAINING_EPOCH: Final = "archon.training.epoch"
LIMIT_NAME: Final = "archon.limit.name"
PERIODIC_ACTION: Final = "archon.periodic.action"

# Span names. Kafka's are "{operation} {topic}": `send`, `process`.
SPAN_TRIGGER: Final = "trigger retrain"
SPAN_JOB: Final = "job"
SPAN_STAGE: Final = "stage {state}"
SPAN_WORK: Final = "work {kind}"
SPAN_EPOCH: Final = "train epoch"
SPAN_CHECKPOINT: Final = "save checkpoint"
SPAN_SCORE: Final = "score model"
SPAN_HOT_SWAP: Final = "hot-swap model"

# Metrics [unit].
METRIC_PROCESS_DURATION: Final = "messaging.process.duration"  # [s]
METRIC_CONSUMED_MESSAGES: Final = "messaging.client.consumed.messages"  # [{message}]
METRIC_DEAD_LETTERS: Final = "archon.dead_letters"  # [{message}]
METRIC_OUTBOX_AGE: Final = "archon.outbox.oldest_age"  # [s]
METRIC_FEEDBACK_STORED: Final = "archon.feedback.stored"  # [{event}]
METRIC_FEEDBACK_DUPLICATES: Final = "archon.feedback.duplicates"  # [{event}]
METRIC_FEEDBACK_INTERNAL: Final = "archon.feedback.internal_traffic"  # [{event}]
METRIC_AUDIT_REFUSED: Final = "archon.audit.refused"  # [{entry}] that became dead letters
METRIC_AGENTS_PARKED: Final = "archon.agents.parked"  # [{evaluation}]
METRIC_JOBS_TRANSITIONS: Final = "archon.jobs.transitions"  # [{transition}]
METRIC_WORK_DURATION: Final = "archon.work.duration"  # [s]
METRIC_REQUESTS_SHED: Final = "archon.requests.shed"  # [{request}]
METRIC_KAFKA_FAULTS: Final = "archon.kafka.connection_faults"  # [{connection}]
METRIC_PERIODIC_FAILURES: Final = "archon.periodic.failures"  # [{failure}]
