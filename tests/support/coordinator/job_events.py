"""What may happen to jobs: answers in any sequence, late and double ones, timeouts, restarts."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from archon_contracts.commands import CancelJob
from archon_contracts.events import (
    DatasetRejected,
    DeploymentRefused,
    EvaluationFailed,
    JobState,
    ModelRolledBack,
    TrainingFailed,
    TrainingStarted,
    WorkerReported,
)
from archon_contracts.identifiers import new_id
from services.coordinator.domain import AgentKey
from services.coordinator.feedback.records import FeedbackRow
from tests.support.coordinator.coordinator import (
    CLASSIFIER,
    JobReplies,
    configure,
    feedback,
    requested,
)
from tests.support.coordinator.coordinator_memory import HOUR
from tests.support.coordinator.job_answers import AGENTS, FAST, POLICIES, JobAnswers
from tests.support.messaging.messages import message_of

agents = st.sampled_from(AGENTS)
attempts = st.integers(1, 4)
flags = st.booleans()


class JobEvents(JobAnswers):
    """Two agents, one training slot, and services that answer as they like."""

    @initialize()
    def configure(self) -> None:
        for name, policy in POLICIES.items():
            trigger = {f"trigger_{field}": value for field, value in policy.items()}
            command = configure(name, **trigger, **(CLASSIFIER if name == FAST else {}))
            self.do(self.world.agents.configure_agent(None, message_of(command)))

    @rule(agent=agents, count=st.integers(1, 4))
    def send_feedback(self, agent: str, count: int) -> None:
        self.happened()
        key = AgentKey("default", agent)
        bodies = [feedback(f"i{self.sent + n}", agent) for n in range(count)]
        self.sent += count
        rows = [
            FeedbackRow(
                key, new_id(), body.interaction_id, "user", None, False, None, body.to_bytes()
            )
            for body in bodies
        ]

        async def store() -> None:
            inserted = await self.world.feedback.insert_feedback(
                None, rows, {}, self.world.clock.now()
            )
            for stats in inserted.stats:
                await self.world.agent_queue.evaluate_trigger(None, stats)

        self.do(store())

    @rule(agent=agents)
    def request_training(self, agent: str) -> None:
        self.deliver("request_training", requested(agent))

    @rule(agent=agents)
    def plan(self, agent: str) -> None:
        self.deliver("record_plan", self.answers(agent).plan())

    @rule(agent=agents, train=st.integers(0, 5))
    def prepare(self, agent: str, train: int) -> None:
        body = self.prepared(self.answers(agent), train)
        self.deliver("record_dataset", body)

    @rule(agent=agents)
    def reject(self, agent: str) -> None:
        job_id = self.answers(agent).job_id
        body = DatasetRejected(agent_id=agent, job_id=job_id, reason="nothing")
        self.deliver("record_dataset_rejection", body)

    @rule(agent=agents, attempt=attempts, fine_tuned=flags)
    def train(self, agent: str, attempt: int, fine_tuned: bool = False) -> None:
        body = self.answers(agent).trained(attempt, fine_tuned=fine_tuned)
        self.deliver("record_candidate", body)

    @rule(agent=agents, attempt=attempts, retryable=flags)
    def fail_training(self, agent: str, attempt: int, retryable: bool) -> None:
        body = TrainingFailed(
            agent_id=agent,
            job_id=self.answers(agent).job_id,
            attempt=attempt,
            error_type="X",
            reason="it broke",
            retryable=retryable,
        )
        self.deliver("record_training_failure", body)

    @rule(agent=agents, passed=flags, reviewed=flags, regressed=flags)
    def evaluate(
        self, agent: str, passed: bool, reviewed: bool = False, regressed: bool = False
    ) -> None:
        reasons = ("too few reference items",) if passed and reviewed else ()
        self.deliver("record_evaluation", self.evaluated(agent, passed, regressed, reasons))

    @rule(agent=agents, retryable=flags)
    def fail_evaluation(self, agent: str, retryable: bool) -> None:
        body = EvaluationFailed(
            agent_id=agent,
            job_id=self.answers(agent).job_id,
            error_type="X",
            reason="it broke",
            retryable=retryable,
        )
        self.deliver("record_evaluation_failure", body)

    @rule(agent=agents)
    def register(self, agent: str) -> None:
        self.deliver("record_registration", self.registered(self.answers(agent)))

    @rule(agent=agents)
    def deploy(self, agent: str) -> None:
        self.deliver("record_deployment", self.deployed_now(self.answers(agent)))

    @rule(agent=agents)
    def refuse_deployment(self, agent: str) -> None:
        body = DeploymentRefused(
            agent_id=agent,
            job_id=self.answers(agent).job_id,
            model=self.answers(agent).deployed().model,
            deployed_version="7.0.0",
            reason="version 7.0.0 is deployed",
        )
        self.deliver("reevaluate", body)

    @rule(agent=agents)
    def cancel(self, agent: str) -> None:
        body = CancelJob(job_id=self.answers(agent).job_id)
        self.deliver("cancel_job", body)

    @rule(agent=agents, steps=st.integers(1, 7), passed=flags, fine_tuned=flags)
    def lead_on(self, agent: str, steps: int, passed: bool, fine_tuned: bool = False) -> None:
        """What a job waits for, some times: chance alone would hardly ever lead one to its end."""
        if AgentKey("default", agent) not in self.world.feedback.open_jobs:
            self.send_feedback(agent, 3)
        for _ in range(steps):
            self.answer_as_asked(agent, passed, fine_tuned)

    @rule(agent=agents)
    def lead_to_the_roll_out(self, agent: str) -> None:
        self.lead_on(agent, 5, passed=True)

    @rule(agent=agents, attempt=st.integers(1, 3))
    def lead_to_a_lost_attempt(self, agent: str, attempt: int) -> None:
        self.lead_on(agent, 2, passed=True)
        self.fail_training(agent, attempt, retryable=True)

    @rule(agent=agents, steps=st.integers(1, 10), fine_tuned=flags)
    def climb_the_ladder(self, agent: str, steps: int, fine_tuned: bool) -> None:
        """Something is deployed, so candidates can be refused for forgetting."""
        self.deploy_by_hand(agent, 0)
        self.lead_on(agent, 4 + steps, passed=False, fine_tuned=fine_tuned)

    @rule(agent=agents)
    def lead_to_a_refusal(self, agent: str) -> None:
        self.lead_on(agent, 4, passed=False)

    @rule(steps=st.integers(0, 5), cancelled=flags)
    def lead_to_the_end_of_a_window_that_an_update_learnt(
        self, steps: int, cancelled: bool
    ) -> None:
        """An update is deployed, and a retrain on its feedback is refused or cancelled."""
        self.deploy_by_hand(FAST, 0)
        self.lead_on(FAST, 5, passed=True)
        self.request_training(FAST)
        for _ in range(steps):
            self.answer_as_asked(FAST, passed=False)
        if cancelled:
            self.cancel(FAST)

    def answer_as_asked(self, agent: str, passed: bool, fine_tuned: bool = False) -> None:
        """The right answer for the newest job's state, after the work that it waits for."""
        self.do_work()
        answers = self.answers(agent)
        job = self.world.store.jobs.get(answers.job_id)
        if job is None:
            return
        match job.state:
            case JobState.PLANNING:
                self.deliver("record_plan", answers.plan())
            case JobState.PREPARING:
                self.deliver("record_dataset", self.prepared(answers))
            case JobState.TRAINING:
                self.deliver(
                    "record_candidate", answers.trained(job.attempt, fine_tuned=fine_tuned)
                )
            case JobState.EVALUATING:
                self.deliver("record_evaluation", self.evaluated(agent, passed, regressed=True))
            case JobState.REGISTERING:
                self.deliver("record_registration", self.registered(answers))
            case JobState.ROLLING_OUT:
                self.deliver("record_deployment", self.deployed_now(answers))
            case _:
                """Nobody is asked anything in the other states."""

    @rule(which=st.integers(0, 10_000))
    def come_again(self, which: int) -> None:
        """A message of the past: of an older state, attempt or job, in any order."""
        if self.delivered:
            self.deliver(*self.delivered[which % len(self.delivered)])

    @rule(agent=agents)
    def cancel_one_that_waits(self, agent: str) -> None:
        """A requested job, behind an active one."""
        self.lead_on(agent, 1, passed=True)
        request = requested(agent)
        self.deliver("request_training", request)
        self.deliver("cancel_job", CancelJob(job_id=request.job_id))

    @rule()
    def do_work(self) -> None:
        """The worker does what is queued; until then jobs wait for their sources."""
        self.do(self.world.do_work())

    @rule()
    def restart(self) -> None:
        self.happened()
        self.world.restart()

    @rule(agent=agents, attempt=attempts)
    def begin_training(self, agent: str, attempt: int) -> None:
        body = TrainingStarted(
            agent_id=agent,
            job_id=self.answers(agent).job_id,
            attempt=attempt,
            worker_id="w",
            total_steps=9,
            first_step_at=self.world.clock.now(),
        )
        self.deliver("record_training_start", body)

    @rule(slots=st.integers(0, 2))
    def report(self, slots: int) -> None:
        self.deliver(
            "record_worker_report",
            WorkerReported(worker_id="w", service="trainer", slots=slots, busy=0),
        )

    @rule(agent=agents, late_seconds=st.integers(0, 300))
    def deploy_by_hand(self, agent: str, late_seconds: int) -> None:
        """The fact may be older than what is known of the agent's deployed version."""
        at = self.world.clock.now() - timedelta(seconds=late_seconds)
        self.deliver(
            "record_deployment",
            JobReplies(new_id(), agent)
            .deployed("8.0.0")
            .model_copy(update={"job_id": None, "deployed_at": at}),
        )

    @rule(agent=agents)
    def deploy_a_reviewed_version(self, agent: str) -> None:
        """A person deploys what a finished job registered."""
        jobs = [job for job in self.world.store.jobs.values() if job.key.agent_id == agent]
        # Not a rejected one: another version may have learnt its feedback meanwhile.
        ended = [job for job in jobs if job.state in (JobState.COMPLETED, JobState.FAILED)]
        ready = [job for job in ended if job.facts.model]
        if ready:
            body = self.deployed_now(JobReplies(ready[-1].job_id, agent))
            self.deliver("record_deployment", body.model_copy(update={"job_id": None}))

    @rule(agent=agents)
    def roll_back(self, agent: str) -> None:
        deployed = JobReplies(new_id(), agent).deployed()
        body = ModelRolledBack(
            revision=1,
            actor="somebody",
            agent_id=agent,
            model=deployed.model,
            from_version="8.0.0",
            reason="worse",
            rolled_back_at=self.world.clock.now(),
        )
        self.happened()
        self.do(self.world.agents.record_rollback(None, message_of(body)))

    @rule(seconds=st.integers(1, 200))
    def time_passes(self, seconds: int) -> None:
        self.happened()
        self.world.clock.move(seconds)
        self.evaluate_due_agents()

    def evaluate_due_agents(self) -> None:
        """What the sweeper does for agents that time alone makes due."""

        async def look() -> None:
            now = self.world.clock.now()
            while (stats := await self.world.agent_queue.lock_next_due(None, now)) is not None:
                await self.world.agent_queue.evaluate_trigger(None, stats)

        self.do(look())

    @rule()
    def nobody_answers(self) -> None:
        self.happened()
        self.world.clock.move(HOUR + 1)
        for job_id in list(self.world.store.jobs):
            job = self.world.store.jobs[job_id]
            if job.deadline_at and job.deadline_at <= self.world.clock.now():
                self.do(self.world.lifecycle.handle_overdue(None, job))
        self.evaluate_due_agents()
