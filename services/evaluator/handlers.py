"""Messages the evaluator takes."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import (
    AnalyzeInteractions,
    CancelBenchmark,
    EvaluateModel,
    RunBenchmark,
)
from archon_contracts.events import JobCancelled
from services.evaluator.service import EvaluatorService
from shared.kafka.broker import Router, new_router, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: EvaluatorService, inbox: Inbox) -> Router:
    """One handler per message; each commits its effect with its inbox row."""
    router = new_router()
    messages = subscription(router, "evaluator", topics.EVALUATOR_COMMANDS, topics.JOBS)

    @messages.on(EvaluateModel)
    async def evaluate_model(message: Message[EvaluateModel]) -> None:
        await inbox.run_once(message, service.accept_evaluation)

    @messages.on(RunBenchmark)
    async def run_benchmark(message: Message[RunBenchmark]) -> None:
        await inbox.run_once(message, service.accept_benchmark)

    @messages.on(CancelBenchmark)
    async def cancel_benchmark(message: Message[CancelBenchmark]) -> None:
        await inbox.run_once(message, service.cancel_benchmark)

    @messages.on(AnalyzeInteractions)
    async def analyze_interactions(message: Message[AnalyzeInteractions]) -> None:
        await inbox.run_once(message, service.accept_analysis)

    @messages.on(JobCancelled)
    async def cancel_evaluation(message: Message[JobCancelled]) -> None:
        await inbox.run_once(message, service.cancel_evaluation)

    return router
