"""Commands, each to one service."""

from archon_contracts.commands.benchmarks import (
    CancelBenchmark,
    MetricThreshold,
    RunBenchmark,
    SuiteToBenchmark,
    VersionToBenchmark,
)
from archon_contracts.commands.coordination import CancelJob, ConfigureAgent, ReturnFeedback
from archon_contracts.commands.curriculum import PlanCurriculum
from archon_contracts.commands.data import (
    CancelSyntheticData,
    DataSource,
    EdgeCaseFamily,
    EraseItems,
    GenerateSyntheticData,
    PrepareDataset,
    SourceKind,
    SynthesisMethod,
)
from archon_contracts.commands.evaluation import EvaluateModel, RefusedAttempt, RunSummary
from archon_contracts.commands.log_analysis import (
    MAXIMUM_LOG_RECORDS,
    AnalyzeInteractions,
    AnalyzeLogs,
    LogAnalysisPlan,
    TokenPrices,
)
from archon_contracts.commands.models import (
    ArchiveModel,
    DeployModel,
    LimitAnswers,
    ProtectModel,
    RegisterModel,
    RetainModels,
    RollBackModel,
)
from archon_contracts.commands.training import CancelTraining, TrainModel

__all__ = [
    "MAXIMUM_LOG_RECORDS",
    "AnalyzeInteractions",
    "AnalyzeLogs",
    "ArchiveModel",
    "CancelBenchmark",
    "CancelJob",
    "CancelSyntheticData",
    "CancelTraining",
    "ConfigureAgent",
    "DataSource",
    "DeployModel",
    "EdgeCaseFamily",
    "EraseItems",
    "EvaluateModel",
    "GenerateSyntheticData",
    "LimitAnswers",
    "LogAnalysisPlan",
    "MetricThreshold",
    "PlanCurriculum",
    "PrepareDataset",
    "ProtectModel",
    "RefusedAttempt",
    "RegisterModel",
    "RetainModels",
    "ReturnFeedback",
    "RollBackModel",
    "RunBenchmark",
    "RunSummary",
    "SourceKind",
    "SuiteToBenchmark",
    "SynthesisMethod",
    "TokenPrices",
    "TrainModel",
    "VersionToBenchmark",
]
