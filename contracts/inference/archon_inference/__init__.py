"""Run a model that the system trained: the same code in agents, trainer and evaluator.

Installed as `archon-inference`. Nothing here imports torch until a model is
loaded, so a process may name these types and stay small.

    verify_folder(folder, model.artifact.digest, trusted_keys=[...])
    predictor = load_predictor(folder)  # or device="cuda:0", precision="bfloat16"
    predictor.predict(["will it rain in Oslo tomorrow?"])[0].output

An agent that swaps versions while it serves uses `VerifiedLoader().load(folder, digest)`, which
does both, and reads the encoder once for all versions that share it, and `limit_answers` to keep to
what `AgentConfiguration.allowed_answers` names.
"""

from archon_inference.card import ModelCard, read_card
from archon_inference.errors import BaseModelMissing, InferenceError, ModelFolderInvalid
from archon_inference.loading import limit_answers, load_predictor
from archon_inference.ports import Predictor
from archon_inference.prediction import Prediction
from archon_inference.verification import verify_folder
from archon_inference.verified_loader import VerifiedLoader

__all__ = [
    "BaseModelMissing",
    "InferenceError",
    "ModelCard",
    "ModelFolderInvalid",
    "Prediction",
    "Predictor",
    "VerifiedLoader",
    "limit_answers",
    "load_predictor",
    "read_card",
    "verify_folder",
]
