"""Events: facts in the past tense."""

from archon_contracts.events.agents import AgentConfigured, AgentParked
from archon_contracts.events.audit import AuditAction, AuditChange, AuditRecorded
from archon_contracts.events.curriculum import (
    CurriculumPlan,
    CurriculumPlanned,
    CurriculumStage,
    LevelAdvanced,
    LevelRegressed,
)
from archon_contracts.events.datasets import (
    DatasetPrepared,
    DatasetRejected,
    QualityReport,
    SyntheticDataGenerated,
)
from archon_contracts.events.evaluations import (
    EvaluationCompleted,
    EvaluationFailed,
    PairedComparison,
    RegressionDetected,
    RejectionKind,
)
from archon_contracts.events.feedback import (
    EVERY_SUBMITTER,
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    FeedbackSource,
    InteractionLogged,
)
from archon_contracts.events.feedback_counts import FeedbackCounted, FeedbackCounts
from archon_contracts.events.jobs import (
    FeedbackReturned,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRejected,
    JobState,
    JobStateChanged,
    LearningReport,
    RetrainTriggered,
    ReviewRequested,
    TrainingRequested,
    TriggerReason,
)
from archon_contracts.events.metrics import MetricPoint, MetricsRecorded
from archon_contracts.events.models import (
    AgentConfiguration,
    DeploymentRefused,
    ExperimentConcluded,
    ExperimentStarted,
    ModelArchived,
    ModelDeployed,
    ModelRegistered,
    ModelRolledBack,
)
from archon_contracts.events.training import (
    CheckpointSaved,
    TrainingCompleted,
    TrainingFailed,
    TrainingStarted,
)
from archon_contracts.events.workers import Capability, WorkerReported

__all__ = [
    "EVERY_SUBMITTER",
    "AgentConfiguration",
    "AgentConfigured",
    "AgentParked",
    "AnnotationSubmitted",
    "AuditAction",
    "AuditChange",
    "AuditRecorded",
    "Capability",
    "CheckpointSaved",
    "CurriculumPlan",
    "CurriculumPlanned",
    "CurriculumStage",
    "DatasetPrepared",
    "DatasetRejected",
    "DeploymentRefused",
    "EvaluationCompleted",
    "EvaluationFailed",
    "ExperimentConcluded",
    "ExperimentStarted",
    "FeedbackCounted",
    "FeedbackCounts",
    "FeedbackReceived",
    "FeedbackRetracted",
    "FeedbackReturned",
    "FeedbackSource",
    "InteractionLogged",
    "JobCancelled",
    "JobCompleted",
    "JobFailed",
    "JobRejected",
    "JobState",
    "JobStateChanged",
    "LearningReport",
    "LevelAdvanced",
    "LevelRegressed",
    "MetricPoint",
    "MetricsRecorded",
    "ModelArchived",
    "ModelDeployed",
    "ModelRegistered",
    "ModelRolledBack",
    "PairedComparison",
    "QualityReport",
    "RegressionDetected",
    "RejectionKind",
    "RetrainTriggered",
    "ReviewRequested",
    "SyntheticDataGenerated",
    "TrainingCompleted",
    "TrainingFailed",
    "TrainingRequested",
    "TrainingStarted",
    "TriggerReason",
    "WorkerReported",
]
