"""Jobs: request, follow, wait for and cancel trainings."""

from __future__ import annotations

import time
from builtins import list as List  # the method `list` hides it in the class
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from archon_contracts.client.errors import JobUnsuccessfulError, WaitTimeoutError
from archon_contracts.client.sdk.answers.jobs import (
    CurveInfo,
    JobAcceptedInfo,
    JobInfo,
    JobSummaryInfo,
    MetricInfo,
    SeriesInfo,
    TraceInfo,
)
from archon_contracts.client.sdk.answers.reports import RunReportInfo
from archon_contracts.client.sdk.asynchronous.transport import AsyncTransport
from archon_contracts.client.sdk.calls import api_path, read_call, write_call
from archon_contracts.client.sdk.progress import FINAL_STATES, ProgressLine, ReportProgress
from archon_contracts.events import JobState
from archon_contracts.values import TrainingConfig, TrainingMethod

FIRST_POLL_SECONDS = 0.25
LONGEST_POLL_SECONDS = 2.0
WAIT_SECONDS = 3600.0


class AsyncJobsApi:
    """Request trainings, follow them, and wait for their end."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def start(
        self,
        agent_id: str,
        *,
        method: TrainingMethod | str,
        dataset: str | None = None,
        source_agent: str | None = None,
        source_version: str | None = None,
        config: TrainingConfig | Mapping[str, Any] | None = None,
    ) -> AsyncJobHandle:
        """Start a training on a dataset, or on all unused feedback."""
        body = {
            "agent_id": agent_id,
            "method": method,
            "dataset": dataset,
            "source_agent": source_agent,
            "source_version": source_version,
            "config": config,
        }
        accepted = await self._transport.send(write_call(api_path("jobs"), body), JobAcceptedInfo)
        return AsyncJobHandle(self, accepted.job_id, agent_id, accepted.trace_id)

    async def get(self, job_id: UUID | str) -> JobInfo:
        """A job with its history, progress, dataset and evaluation."""
        return await self._transport.send(read_call(api_path("jobs", job_id)), JobInfo)

    async def list(
        self,
        *,
        agent_id: str | None = None,
        state: JobState | str | None = None,
        limit: int | None = 100,
    ) -> List[JobSummaryInfo]:
        """Jobs, newest first; `limit=None`: all of them."""
        return await self._transport.items(
            api_path("jobs"), JobSummaryInfo, limit=limit, agent_id=agent_id, state=state
        )

    async def wait(
        self,
        job_id: UUID | str,
        *,
        timeout_seconds: float = WAIT_SECONDS,
        progress: bool | ReportProgress = False,
        check: bool = True,
    ) -> JobInfo:
        """The job once it has ended.

        `progress=True` shows a bar on standard error; a function is called with each new state.

        Raises:
            JobUnsuccessfulError: it ended without a version, and `check` is true.
            WaitTimeoutError: it has not ended in time; it goes on.
        """
        report = ProgressLine() if progress is True else progress or None
        end, poll = time.monotonic() + timeout_seconds, FIRST_POLL_SECONDS
        while True:
            job = await self.get(job_id)
            if report is not None:
                report(job)
            if job.state in FINAL_STATES:
                break
            if time.monotonic() + poll > end:
                raise WaitTimeoutError(
                    f"job {job_id} is {job.state} after {timeout_seconds:g} s; wait again, or "
                    "cancel it"
                )
            await self._transport.sleep(poll)
            poll = min(poll * 1.5, LONGEST_POLL_SECONDS)
        if check and job.state != JobState.COMPLETED:
            raise JobUnsuccessfulError(str(job_id), job.state, job.reason)
        return job

    async def cancel(self, job_id: UUID | str, *, reason: str = "cancelled by request") -> None:
        """Cancel a job in any state that is not final."""
        call = write_call(api_path("jobs", job_id, "cancel"), {"reason": reason})
        await self._transport.send(call, dict[str, Any])

    async def return_feedback(
        self, job_id: UUID | str, *, reason: str = "returned by request"
    ) -> None:
        """Make the feedback of a job without a deployed version new data again."""
        call = write_call(api_path("jobs", job_id, "return-feedback"), {"reason": reason})
        await self._transport.send(call, dict[str, Any])

    async def series(self, job_id: UUID | str) -> List[SeriesInfo]:
        """Each metric of each attempt: points, extremes, newest value."""
        call = read_call(api_path("jobs", job_id, "series"))
        return (await self._transport.send(call, dict[str, List[SeriesInfo]]))["items"]

    async def curves(self, job_id: UUID | str, *names: str, points: int = 1000) -> List[CurveInfo]:
        """Metrics by step, at most `points` each: the extremes of equal ranges."""
        query = {"name": List(names) or None, "points": points}
        call = read_call(api_path("jobs", job_id, "curves"), query)
        return (await self._transport.send(call, dict[str, List[CurveInfo]]))["items"]

    async def metrics(self, job_id: UUID | str, *names: str) -> List[MetricInfo]:
        """The metric points of a job as they came, 100,000 at most."""
        call = read_call(api_path("jobs", job_id, "metrics"), {"name": List(names) or None})
        return (await self._transport.send(call, dict[str, List[MetricInfo]]))["items"]

    async def trace(self, job_id: UUID | str) -> TraceInfo:
        """Every span of the job's trace, from the feedback to the deployed version."""
        return await self._transport.send(read_call(api_path("jobs", job_id, "trace")), TraceInfo)

    async def report(self, job_id: UUID | str) -> RunReportInfo:
        """The report of a job's run, also of one that gave no version."""
        call = read_call(api_path("jobs", job_id, "report"))
        return await self._transport.send(call, RunReportInfo)


class AsyncJobHandle:
    """A job that was started, to follow or to wait for."""

    def __init__(
        self, jobs: AsyncJobsApi, job_id: UUID, agent_id: str, trace_id: str, feedback: int = 0
    ) -> None:
        self._jobs = jobs
        self.job_id = job_id
        self.agent_id = agent_id
        self.trace_id = trace_id
        self.accepted_feedback = feedback

    async def refresh(self) -> JobInfo:
        """The job as it is now."""
        return await self._jobs.get(self.job_id)

    async def wait(
        self,
        *,
        timeout_seconds: float = WAIT_SECONDS,
        progress: bool | ReportProgress = False,
        check: bool = True,
    ) -> JobInfo:
        """The job once it has ended; see `AsyncJobsApi.wait`."""
        return await self._jobs.wait(
            self.job_id, timeout_seconds=timeout_seconds, progress=progress, check=check
        )

    async def cancel(self, *, reason: str = "cancelled by request") -> None:
        """Cancel it."""
        await self._jobs.cancel(self.job_id, reason=reason)
