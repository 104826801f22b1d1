"""R1: registry and coordinator killed in each state of a rollout."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from archon_contracts.commands import ConfigureAgent, DeployModel, RegisterModel
from archon_contracts.envelope import HeaderView
from archon_contracts.events import FeedbackReceived, InteractionLogged
from archon_contracts.identifiers import new_id
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from archon_contracts.values import AgentKind
from shared.messaging.outbox import decode_headers
from tests.faults.accounting.client_log import Account
from tests.faults.accounting.invariants import broken_rules
from tests.faults.scenario import Context, ScenarioResult
from tests.faults.system import LocalSystem, local_system, profile_of
from tests.faults.waiting import until
from tests.faults.workload.gate import LockGate, gate
from tests.faults.workload.load import FeedbackLoad, send_commands
from tests.support.registry import WHOLE_MODEL

SERVICES: Final = ("coordinator", "registry")
CANARY, AB_TEST, WATCHED = "canary-agent", "ab-agent", "watched-agent"
GUARDED = "guarded-agent"
POLICIES: Final = {
    CANARY: RolloutPolicy(mode=RolloutMode.CANARY, canary_shares=(0.25, 0.5), step_answers=20),
    AB_TEST: RolloutPolicy(mode=RolloutMode.AB_TEST),
    WATCHED: RolloutPolicy(),
    GUARDED: RolloutPolicy(mode=RolloutMode.AB_TEST),
}
SETTINGS: Final = {"lease_seconds": 3, "shutdown_timeout_seconds": 3}
DUE: Final = {
    CANARY: [("canary", "promoted"), ("watch", "running")],
    AB_TEST: [("ab_test", "promoted"), ("watch", "running")],
    # Deployed again within the cooldown, and as bad: nothing flips back.
    WATCHED: [("watch", "rolled_back"), ("watch", "running")],
    GUARDED: [("ab_test", "kept")],
}
HISTORIES: Final = {
    CANARY: ["deploy 1.0.0", "deploy 1.1.0"],
    AB_TEST: ["deploy 1.0.0", "deploy 1.1.0"],
    WATCHED: ["deploy 1.0.0", "deploy 1.1.0", "rollback 1.0.0", "deploy 1.1.0"],
    GUARDED: ["deploy 1.0.0"],
}
PUBLISHED: Final = {
    "ExperimentStarted": 3,
    "ExperimentAdvanced": 1,
    "ExperimentConcluded": 3,
    "RegressionDetected": 2,
    "RollBackModel": 1,
    "ModelRolledBack": 1,
}
EXPERIMENTS = "SELECT kind, state FROM registry.experiments WHERE agent_id = $1 ORDER BY started_at"
WITH_POLICY = "SELECT count(*) FROM registry.agents WHERE rollout IS NOT NULL"
RUNNING = "SELECT count(*) FROM registry.experiments WHERE state = 'running'"
STEP = "SELECT 1 FROM registry.experiments WHERE agent_id = $1 AND progress->>'step' = $2"
STATE = "SELECT 1 FROM registry.experiments WHERE agent_id = $1 AND state = $2"
HISTORY = "SELECT action, version FROM registry.deployments WHERE agent_id = $1 ORDER BY revision"
DEPLOYED = "SELECT version FROM registry.models WHERE agent_id = $1 AND status = 'deployed'"
COUNTED = "SELECT agent_id, version, counts->'scored'->>0 AS scored FROM registry.answer_counts"
SENT = "SELECT headers::text FROM registry.outbox"


@dataclass(slots=True)
class RolloutAgents:
    """Agents with two versions each, and the feedback on them."""

    system: LocalSystem
    load: FeedbackLoad
    sent: Counter[tuple[str, str]]

    async def prepare(self) -> None:
        """Register both versions of each agent, and deploy the first by hand."""
        servers, artifacts = self.system.bootstrap_servers, self.system.runtime.open_artifacts()
        configured = [
            ConfigureAgent(
                agent_id=agent,
                profile=profile_of(agent, 1_000_000).model_copy(update={"rollout": policy}),
            )
            for agent, policy in POLICIES.items()
        ]
        registered = []
        for agent in POLICIES:
            for number in range(2):
                notes = {"notes.txt": f"{agent} {number}".encode()}
                model = await artifacts.publish_files(WHOLE_MODEL | notes)
                registered.append(
                    RegisterModel(
                        agent_id=agent,
                        job_id=new_id(),
                        kind=AgentKind.CLASSIFIER,
                        artifact=model,
                        dataset_id=new_id(),
                        dataset=model,
                    )
                )
        await send_commands(servers, configured)
        await self.reach(WITH_POLICY, len(POLICIES))
        await send_commands(servers, registered)
        await self.reach("SELECT count(*) FROM registry.models", 2 * len(POLICIES))
        await send_commands(servers, [_deploy(agent, "1.0.0") for agent in POLICIES])
        await self.reach("SELECT count(*) FROM registry.deployments", len(POLICIES))

    async def begin(self) -> None:
        """Begin all comparisons: a canary, two A/B tests, and a watch by hand."""
        await self.give(WATCHED, "1.0.0", right=200, wrong=20)
        await self.counted()
        jobs = [_deploy(agent, "1.1.0", for_job=True) for agent in (CANARY, AB_TEST, GUARDED)]
        await send_commands(self.system.bootstrap_servers, [*jobs, _deploy(WATCHED, "1.1.0")])
        await self.reach(RUNNING, len(POLICIES))

    async def give(self, agent: str, version: str, *, right: int, wrong: int = 0) -> None:
        """Send feedback on answers of a version."""
        first = self.sent.total()
        events = [
            FeedbackReceived(
                agent_id=agent,
                interaction_id=f"answer-{first + number}",
                input=f"what about {first + number}",
                actual="good",
                expected="good" if number < right else "bad",
                model_version=version,
            )
            for number in range(right + wrong)
        ]
        self.sent[agent, version] += len(events)
        await self.load.deliver(events)

    async def log_answers(self, agent: str, version: str, *, good: int, failed: int = 0) -> None:
        """Send the log of answers of a version; failed ones have an error."""
        await self.load.deliver_unlisted(
            [
                InteractionLogged(
                    agent_id=agent,
                    interaction_id=f"{version}-{number}",
                    input="what",
                    error=None if number < good else "TimeoutError",
                    model_version=version,
                )
                for number in range(good + failed)
            ]
        )

    async def counted(self) -> bool:
        """Wait until the registry has counted every feedback event once, and none twice."""

        async def all_counted() -> bool:
            rows = await self.system.reader.fetch(COUNTED)
            found = {(r["agent_id"], r["version"]): round(float(r["scored"])) for r in rows}
            # Of the guarded agent answers are logged alone.
            return {place: count for place, count in found.items() if count} == dict(self.sent)

        return await until(all_counted, timeout=40)

    async def reach(self, query: str, number: int) -> None:
        """Wait until a query gives this number.

        Raises:
            RuntimeError: it did not, so the rest would show nothing.
        """
        if not await self.system.reaches(query, number, timeout=40):
            raise RuntimeError(f"{query} did not become {number}")

    async def in_state(self, agent: str, state: str) -> bool:
        """Wait until an experiment of the agent is in a state that was committed."""

        async def there() -> bool:
            return bool(await self.system.reader.fetch(STATE, agent, state))

        return await until(there, timeout=40)

    async def in_step(self, step: int) -> bool:
        """Wait until the canary is in a step that was committed."""

        async def there() -> bool:
            return bool(await self.system.reader.fetch(STEP, CANARY, str(step)))

        return await until(there, timeout=40)


class RolloutsKilled:
    """kill -9 of registry and coordinator at once, in each state; feedback comes all the while."""

    id = "R1"
    what = "registry and coordinator killed in each state of a rollout"

    async def run(self, context: Context) -> ScenarioResult:
        path, rounds = context.folder / "client_log", context.size(short=1, long=10)
        faults = survived = 0
        totals = Account(0, 0, 0, 0, 0, 0, 0)
        problems: list[str] = []
        for number in range(rounds):
            folder = context.folder / f"round-{number}"
            log = path.with_name(f"client_log-{number}")
            hits, found, account = await self._round(folder, log, context)
            faults, survived = faults + len(hits), survived + sum(hits)
            problems += found
            totals += account
        return ScenarioResult(
            account=totals,
            load=f"{totals.sent:,} feedback events, {len(POLICIES) * rounds} comparisons",
            faults=faults,
            survived=survived,
            trials=totals.sent,
            problems=tuple(problems),
        )

    async def _round(
        self, folder: Path, log: Path, context: Context
    ) -> tuple[list[bool], list[str], Account]:
        async with (
            local_system(folder / "data", services=SERVICES, **SETTINGS) as system,
            FeedbackLoad(system.bootstrap_servers, log, tuple(POLICIES)) as load,
            gate(system.database_url, "registry", "models") as barrier,
        ):
            agents = RolloutAgents(system, load, Counter())
            await agents.prepare()
            await agents.begin()
            hits = await self._hit_each_state(agents, barrier, context)
            problems = [] if await agents.counted() else ["feedback is counted wrongly"]
            account, found = await system.reconcile(log, stall_seconds=20)
            problems += found
            problems += await _wrong_ends(system)
            problems += await broken_rules(system.reader, timeout=30, services=SERVICES)
            if letters := await system.set_aside(SERVICES):
                problems.append(f"dead letters {letters}")
        return hits, problems, account

    async def _hit_each_state(
        self, agents: RolloutAgents, barrier: LockGate, context: Context
    ) -> list[bool]:
        """Whether each state was reached, hit, and left as it should be."""
        hits = [await self._kill_open(agents), await self._kill_in_step(agents)]
        decided = [CANARY, AB_TEST]
        context.random().shuffle(decided)
        for agent in decided:
            hits.append(await self._kill_at_conclusion(agents, barrier, agent))
        hits.append(await self._kill_at_rollback(agents, barrier))
        hits.append(await self._fail_and_deploy_again(agents))
        return hits

    async def _kill_open(self, agents: RolloutAgents) -> bool:
        """All three are open, nothing is scored; feedback comes while nobody listens."""
        down = asyncio.create_task(_kill_both(agents.system))
        for agent in (CANARY, AB_TEST):
            await agents.give(agent, "1.0.0", right=8, wrong=4)
            await agents.give(agent, "1.1.0", right=8, wrong=4)
        return await down and await agents.counted()

    async def _kill_in_step(self, agents: RolloutAgents) -> bool:
        """The canary has its second part of the traffic."""
        await agents.give(CANARY, "1.1.0", right=8)
        reached = await agents.in_step(2)
        return await _kill_both(agents.system) and reached

    async def _kill_at_conclusion(
        self, agents: RolloutAgents, barrier: LockGate, agent: str
    ) -> bool:
        """The end is written, the deployment of its winner waits at the gate; nothing is final."""
        await barrier.shut()
        wins = 20 if agent == CANARY else 120
        if agent == AB_TEST:
            await agents.give(agent, "1.0.0", right=60, wrong=60)
        await agents.give(agent, "1.1.0", right=wins)
        caught = await barrier.caught(timeout=40)
        return (
            await _kill_at_gate(agents.system, barrier)
            and caught
            and (await agents.in_state(agent, "promoted"))
        )

    async def _kill_at_rollback(self, agents: RolloutAgents, barrier: LockGate) -> bool:
        """The watch has ended, its command to roll back waits at the gate."""
        await barrier.shut()
        await agents.give(WATCHED, "1.1.0", right=20, wrong=60)
        issued = await agents.in_state(WATCHED, "rolled_back")
        caught = await barrier.caught(timeout=40)
        return await _kill_at_gate(agents.system, barrier) and caught and issued

    async def _fail_and_deploy_again(self, agents: RolloutAgents) -> bool:
        """No kill: a guardrail ends a test at once, and the cooldown keeps what was rolled back."""
        await agents.log_answers(GUARDED, "1.0.0", good=300)
        await agents.log_answers(GUARDED, "1.1.0", good=60, failed=60)
        guarded = await agents.in_state(GUARDED, "kept")
        await agents.reach("SELECT count(*) FROM registry.deployments WHERE action = 'rollback'", 1)
        command = _deploy(WATCHED, "1.1.0")
        await send_commands(agents.system.bootstrap_servers, [command])
        await agents.reach("SELECT count(*) FROM registry.deployments", len(POLICIES) + 5)
        await agents.give(WATCHED, "1.1.0", right=10, wrong=50)
        return guarded and await agents.counted()


async def _kill_both(system: LocalSystem) -> bool:
    """Kill both services at once; whether both are ready again."""
    before = {name: system.pid(name) for name in SERVICES}
    for name in SERVICES:
        system.send(name, signal.SIGKILL)
    ready = [await system.ready(name, but_not=pid) for name, pid in before.items()]
    return all(ready)


async def _kill_at_gate(system: LocalSystem, barrier: LockGate) -> bool:
    """The same, while the registry's session stands at the gate, which then opens."""
    before = {name: system.pid(name) for name in SERVICES}
    for name in SERVICES:
        system.send(name, signal.SIGKILL)
    await barrier.drop_waiting()
    await barrier.open()
    ready = [await system.ready(name, but_not=pid) for name, pid in before.items()]
    return all(ready)


async def _wrong_ends(system: LocalSystem) -> list[str]:
    """What differs from what was decided: experiments, histories, deployed versions, messages."""
    problems: list[str] = []

    async def as_due() -> bool:
        problems[:] = [sentence async for sentence in _differences(system)]
        return not problems

    await until(as_due, timeout=30)
    return problems


async def _differences(system: LocalSystem) -> AsyncIterator[str]:
    for agent, due in DUE.items():
        rows = await system.reader.fetch(EXPERIMENTS, agent)
        found = [(row["kind"], row["state"]) for row in rows]
        if found != due:
            yield f"{agent} has the experiments {found}, due {due}"
        rows = await system.reader.fetch(HISTORY, agent)
        history = [f"{row['action']} {row['version']}" for row in rows]
        if history != HISTORIES[agent]:
            yield f"{agent} has the history {history}, due {HISTORIES[agent]}"
        deployed = await system.reader.fetch(DEPLOYED, agent)
        version = deployed[0]["version"] if deployed else "nothing"
        if version != HISTORIES[agent][-1].split()[1]:
            yield f"{agent} has {version} deployed, which is not what its history ends with"
    rows = await system.reader.fetch(SENT)
    names = Counter(
        HeaderView.of(decode_headers(orjson.loads(row["headers"]))).text("ce_type").split(".")[1]
        for row in rows
    )
    for name, due_count in PUBLISHED.items():
        if names[name] != due_count:
            yield f"{names[name]} of {name} were published, due {due_count}"


def _deploy(agent: str, version: str, *, for_job: bool = False) -> DeployModel:
    command = DeployModel(agent_id=agent, model_version=version, reason="a fault test")
    job = {"job_id": new_id(), "compared_with": "1.0.0"}
    return command.model_copy(update=job) if for_job else command
