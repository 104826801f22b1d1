"""What an analysis quotes of retracted feedback."""

from typing import Any

from services.gateway.functions.erased_quotes import erase_quotes


def evidence(interaction_id: str, text: str) -> dict[str, Any]:
    return {"interaction_id": interaction_id, "at": "2026-11-30T00:00:00Z", "text": text}


ANALYSIS: dict[str, Any] = {
    "figures": {"failures": 7},
    "clusters": [
        {
            "name": "card",
            "size": 7,
            "interaction_ids": ["i1", "i2"],
            "evidence": [evidence("i1", "my secret"), evidence("i2", "other")],
            "proposed_cases": [
                {"id": "i1", "request": "my secret", "target": "a"},
                {"id": "i2", "request": "other", "target": "b"},
            ],
        }
    ],
    "drift": {"auroc": 0.7, "farthest": [evidence("i9", "my secret")]},
    "slow": [evidence("i1", "my secret")],
    "suggestions": [{"body": {"items": [{"id": "i1", "input": "my secret", "target": "a"}]}}],
}


def test_every_quotation_of_a_retracted_interaction_goes_and_figures_stay() -> None:
    found = erase_quotes(ANALYSIS, ["i1"])

    assert "secret" not in str(found)
    assert "i1" not in str(found)
    assert found["figures"] == {"failures": 7}
    (cluster,) = found["clusters"]
    assert (cluster["size"], cluster["interaction_ids"]) == (7, ["i2"])
    assert [each["text"] for each in cluster["evidence"]] == ["other"]
    assert found["drift"]["auroc"] == 0.7


def test_an_analysis_that_quotes_nothing_of_it_stays_as_it_is() -> None:
    assert erase_quotes(ANALYSIS, ["i3"]) == ANALYSIS
