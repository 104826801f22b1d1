"""File formats that services exchange: items, suites, predictions, dataset cards, manifests.

All files of items are JSON Lines; `jsonl` reads and writes them. Fields are only ever added, each
with a default that means the same as its absence.
"""

from archon_contracts.formats.dataset_card import DatasetCard, SourceEntry
from archon_contracts.formats.file_names import (
    CATALOGUE_FILE,
    DATASET_CARD_FILE,
    FEEDBACK_IDS_FILE,
    ITEMS_FILE,
    MANIFEST_FILE,
    MODEL_CARD_FILE,
    QUARANTINED_FILE,
    REFERENCE_FILE,
    REPORT_FILE,
    RETRACTED_IDS_FILE,
    SIGNATURE_FILE,
    SUITE_FILES,
    TEST_FILE,
    TRAIN_FILE,
    VALIDATION_FILE,
    Split,
    predictions_file,
    split_file,
)
from archon_contracts.formats.items import (
    REPLAY,
    Annotation,
    QuarantinedItem,
    SuiteItem,
    TrainingItem,
    canonical_text,
)
from archon_contracts.formats.jsonl import (
    LineInvalid,
    count_lines,
    nonblank_lines,
    parse_jsonl,
    parse_line,
    read_jsonl,
    to_jsonl,
)
from archon_contracts.formats.predictions import PredictionRow

__all__ = [
    "CATALOGUE_FILE",
    "DATASET_CARD_FILE",
    "FEEDBACK_IDS_FILE",
    "ITEMS_FILE",
    "MANIFEST_FILE",
    "MODEL_CARD_FILE",
    "QUARANTINED_FILE",
    "REFERENCE_FILE",
    "REPLAY",
    "REPORT_FILE",
    "RETRACTED_IDS_FILE",
    "SIGNATURE_FILE",
    "SUITE_FILES",
    "TEST_FILE",
    "TRAIN_FILE",
    "VALIDATION_FILE",
    "Annotation",
    "DatasetCard",
    "LineInvalid",
    "PredictionRow",
    "QuarantinedItem",
    "SourceEntry",
    "Split",
    "SuiteItem",
    "TrainingItem",
    "canonical_text",
    "count_lines",
    "nonblank_lines",
    "parse_jsonl",
    "parse_line",
    "predictions_file",
    "read_jsonl",
    "split_file",
    "to_jsonl",
]
