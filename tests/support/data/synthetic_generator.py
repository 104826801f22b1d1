"""What the synthetic generator is asked for and given."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from archon_contracts.commands import GenerateSyntheticData
from archon_contracts.events import SyntheticDataGenerated
from archon_contracts.identifiers import new_id
from services.synthetic_generator.domain import GenerationRequest, Sample

REQUESTS = (
    ("book a table for 4 people on Friday in Rome", "restaurant"),
    ("I need a table for 2 on Sunday. It is a birthday.", "restaurant"),
    ("find a hotel in Oslo for 3 nights", "hotel"),
    ("is there a room left in Lima on Monday", "hotel"),
    ("my train to Turin is late, what now", "train"),
    ("buy 2 tickets to Bern on Tuesday", "train"),
)
EXAMPLES = tuple(Sample(text, target) for text, target in REQUESTS)

difficulties = st.sampled_from(("easy", "medium", "hard"))
seeds = st.integers(0, 2**31)


def generation_request(**fields: Any) -> GenerationRequest:
    """Twenty items of a known domain."""
    values = {
        "scenario_type": "customer-support",
        "count": 20,
        "difficulty": "medium",
        "edge_cases": False,
        "diversity": 0.5,
        "seed": 0,
    }
    return GenerationRequest(**(values | fields))


@st.composite
def generation_requests(draw: st.DrawFn) -> GenerationRequest:
    return generation_request(
        scenario_type=draw(st.sampled_from(("customer-support", "tool-use"))),
        count=draw(st.integers(1, 40)),
        difficulty=draw(difficulties),
        edge_cases=draw(st.booleans()),
        diversity=draw(st.floats(0, 1)),
        seed=draw(seeds),
    )


def generate_synthetic_data(**fields: Any) -> GenerateSyntheticData:
    """A request for data."""
    values = {
        "agent_id": "helper",
        "request_id": new_id(),
        "scenario_type": "customer-support",
        "count": 20,
    }
    return GenerateSyntheticData(**(values | fields))


class FakeResultStore:
    """Answers, segments and replies in dictionaries."""

    def __init__(self) -> None:
        self.segments: dict[UUID, list[dict[str, Any]]] = {}
        self.replies: dict[str, str] = {}
        self.answers: dict[tuple[str, UUID], SyntheticDataGenerated] = {}

    async def find_result(
        self, _tx: object, tenant_id: str, request_id: UUID
    ) -> SyntheticDataGenerated | None:
        return self.answers.get((tenant_id, request_id))

    async def insert_result(self, _tx: object, answer: SyntheticDataGenerated) -> None:
        self.answers.setdefault((answer.tenant_id, answer.request_id), answer)

    async def find_segments(
        self, _tx: object, _tenant_id: str, request_id: UUID
    ) -> list[dict[str, Any]]:
        return self.segments.get(request_id, [])

    async def insert_segment(
        self, _tx: object, _tenant_id: str, request_id: UUID, segment: Mapping[str, Any]
    ) -> None:
        kept = {"items": segment["items"], "state": segment["state"]}
        self.segments.setdefault(request_id, []).append(kept)

    async def delete_segments(self, _tx: object, _tenant_id: str, request_id: UUID) -> None:
        self.segments.pop(request_id, None)

    async def find_llm_replies(self, _tx: object, _tenant_id: str) -> dict[str, str]:
        return dict(self.replies)

    async def insert_llm_replies(
        self, _tx: object, _tenant_id: str, replies: Mapping[str, str]
    ) -> None:
        self.replies |= replies


def segment(draws: int, accepted: int = 1, **fields: Any) -> dict[str, Any]:
    """What a child reports of rounds."""
    values = {
        "items": [["a quiet room", "hotel", "mutation", None]],
        "state": {"attempt": draws, "rejections": {"duplicate": 2}, "failures": [["hotel", 1]]},
        "accepted": accepted,
        "replies": {},
    }
    return values | fields
