import subprocess
import sys

CODE = """
import sys
import archon_inference, archon_inference.base_models
import services.trainer.child, services.evaluator.child, services.evaluator.comparison.paired_tests
print(sorted({"torch", "transformers"} & sys.modules.keys()))
"""


def test_naming_the_types_and_the_entries_imports_no_torch() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )

    assert finished.stdout.strip() == "[]"
