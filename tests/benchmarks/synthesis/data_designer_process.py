"""`python data_designer_process.py FOLDER`: NeMo Data Designer's rows of a domain.

Standard input has a JSON object with `rows` and the `domain` (requests by answer, slots, and lists
around them); the answer is one with the `seconds` that they took and how many `rows` there are.
Run by its path in an environment of its own: nothing of the project is imported.
"""

import contextlib
import io
import json
import sys
import time
from typing import Any


def main(folder: str) -> None:
    """Make the rows and print how long that took."""
    asked = json.load(sys.stdin)
    # It writes its progress to standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        from data_designer.interface import DataDesigner

        designer = DataDesigner(artifact_path=folder)
        config = build_config(asked["domain"])
        started = time.perf_counter()
        created = designer.create(config, num_records=asked["rows"], dataset_name="bench")
        seconds = time.perf_counter() - started
        rows = len(created.load_dataset())
    print(json.dumps({"seconds": seconds, "rows": rows}))


def build_config(domain: dict[str, Any]) -> Any:
    """Samplers of every list, and one expression that joins them and fills the slots."""
    import data_designer.config as dd

    config = dd.DataDesignerConfigBuilder(model_configs=[])

    def add(name: str, values: list[str]) -> None:
        params = dd.CategorySamplerParams(values=values)
        config.add_column(
            dd.SamplerColumnConfig(name=name, sampler_type=dd.SamplerType.CATEGORY, params=params)
        )

    add("target", list(domain["requests"]))
    config.add_column(
        dd.SamplerColumnConfig(
            name="request",
            sampler_type=dd.SamplerType.SUBCATEGORY,
            params=dd.SubcategorySamplerParams(category="target", values=domain["requests"]),
        )
    )
    for name in ("openings", "closings"):
        add(name, domain[name])
    for slot, values in domain["slots"].items():
        add(f"slot_{slot}", values)
    filled = "(openings ~ ' ' ~ request ~ ' ' ~ closings)" + "".join(
        f" | replace('{{{slot}}}', slot_{slot})" for slot in domain["slots"]
    )
    config.add_column(dd.ExpressionColumnConfig(name="input", expr=f"{{{{ {filled} }}}}"))
    return config


if __name__ == "__main__":
    main(sys.argv[1])
