"""Run one investigation: plan, specialists in parallel, report.

Each step is bound, until it ends, to the model that is in force for the investigation's label when
it starts. A resumed run doesn't repeat finished steps.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from aurorasoc.agents.registry import ORCHESTRATOR
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.core.telemetry.names import Aurora, GenAI
from aurorasoc.core.telemetry.spans import code_of, mark_failed, span
from aurorasoc.errors import Attempt, AuroraError, DatabaseUnavailable, TlpRefused
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation import attack, prompts
from aurorasoc.workflows.investigation.alert import parse_alert
from aurorasoc.workflows.investigation.evidence import stands_in, whole_evidence
from aurorasoc.workflows.investigation.fence import fence_for
from aurorasoc.workflows.investigation.leased import LeasedInvestigation, ResumeState, Step
from aurorasoc.workflows.investigation.prompts import Draft
from aurorasoc.workflows.investigation.schemas import Conclusion, Examination, Plan
from aurorasoc.workflows.investigation.structured import Question, ask_fitted
from aurorasoc.workflows.investigation.view import ATTEMPTS, FindingView, GapView, Report

TAnswer = TypeVar("TAnswer", bound=BaseModel)

Examined = dict[str, Examination]
Failed = dict[str, AuroraError]

_LEFT_OUT: Final = "evidence_left_out"
_PLAN: Final = Step(0, "plan", ORCHESTRATOR)


async def investigate(runtime: Runtime, leased: LeasedInvestigation) -> None:
    """Run an investigation, and store its report or the reason why there is none.

    Raises:
        LeaseLost: Another process has taken it.
        DatabaseUnavailable: Nothing can be written; its lease will expire.
    """
    state = await leased.begin()
    run = _Run(runtime, leased, state)
    with span("invoke_workflow investigation", _attributes(leased, state)) as current:
        try:
            with acting_for(Acting(state.created_by)):
                report = await run.report()
        except AuroraError as error:
            if current is not None:
                mark_failed(current, code_of(error))
            await leased.give_up(error)
        else:
            await leased.conclude(report)


def _attributes(leased: LeasedInvestigation, state: ResumeState) -> dict[str, str | None]:
    return {
        GenAI.OPERATION_NAME.value: "invoke_workflow",
        GenAI.WORKFLOW_NAME.value: "investigation",
        Aurora.INVESTIGATION.value: leased.id,
        Aurora.TLP.value: state.tlp,
    }


class _Run:
    """One run, starting from the stored state."""

    def __init__(self, runtime: Runtime, leased: LeasedInvestigation, state: ResumeState) -> None:
        self._runtime = runtime
        self._leased = leased
        self._state = state
        self._evidence = whole_evidence(parse_alert(state.alert))
        self._fence = fence_for([self._evidence.text])
        self._left_out = max(map(_left_out_in, state.results.values()), default=0)

    async def report(self) -> Report:
        plan = await self._step(_PLAN, Plan, prompts.ask_for_plan(self._fence))
        steps = [
            Step(position, "specialist", item.agent, item.question, item.why)
            for position, item in enumerate(plan.assignments, start=1)
        ]
        last = Step(len(steps) + 1, "report", ORCHESTRATOR)
        await self._leased.announce([*steps, last])
        examined, failed = await self._examine(steps)
        draft = prompts.ask_for_conclusion(self._fence, examined, list(failed))
        conclusion = await self._step(last, Conclusion, draft)
        return _report(conclusion, self._evidence.shown(), failed, self._left_out)

    async def _examine(self, steps: list[Step]) -> tuple[Examined, Failed]:
        """Run the specialists in parallel; a plan has three at most.

        Raises:
            AuroraError: All of them failed: the first one's reason.
        """
        async with asyncio.TaskGroup() as group:
            tasks = {step.agent: group.create_task(self._specialist(step)) for step in steps}
        outcomes = {agent: task.result() for agent, task in tasks.items()}
        examined = {a: o for a, o in outcomes.items() if isinstance(o, Examination)}
        failed = {a: o for a, o in outcomes.items() if isinstance(o, AuroraError)}
        if not examined:
            raise next(iter(failed.values()))
        return examined, failed

    async def _specialist(self, step: Step) -> Examination | AuroraError:
        """Return a specialist's answer, or its error: that doesn't stop the others."""
        draft = prompts.ask_specialist(self._fence, step.question)
        try:
            return await self._step(step, Examination, draft)
        except DatabaseUnavailable:
            raise
        except AuroraError as error:
            return error

    async def _step(self, step: Step, schema: type[TAnswer], draft: Draft) -> TAnswer:
        """Return a step's answer, stored or new, and record how the step ended."""
        stored = self._state.results.get(step.position)
        if stored is not None:
            return schema.model_validate_json(stored)
        attributes = {Aurora.STEP.value: step.kind, GenAI.AGENT_NAME.value: step.agent}
        with span(f"investigation step {step.kind}", attributes):
            return await self._new_step(step, schema, draft)

    async def _new_step(self, step: Step, schema: type[TAnswer], draft: Draft) -> TAnswer:
        question: Question[TAnswer] | None = None
        try:
            question = await self._bind(step.agent, schema)
            await self._leased.started(step, question.provenance)
            answered, left_out = await ask_fitted(question, draft, self._evidence)
        except AuroraError as error:
            await self._leased.failed(step, error, question.attempts if question else ())
            await self._audit_refusal(error)
            raise
        self._left_out = max(self._left_out, left_out)
        result = _stored(answered.value, left_out, question.attempts)
        await self._leased.finished(step, answered.provenance, answered.usage, result)
        return answered.value

    async def _bind(self, agent: str, schema: type[TAnswer]) -> Question[TAnswer]:
        from aurorasoc.agents.factory import AgentFactory  # noqa: PLC0415 - BeeAI costs two seconds

        built = await AgentFactory(self._runtime).build(agent, tlp=self._state.tlp)
        return await Question.bind(built, schema, self._fence)

    async def _audit_refusal(self, error: AuroraError) -> None:
        if isinstance(error, TlpRefused):
            await self._runtime.denials.record_label(
                self._state.created_by, f"investigation {self._leased.id}", self._state.tlp
            )


def _stored(answer: BaseModel, left_out: int, attempts: Sequence[Attempt]) -> str:
    """Write a step's result: what its prompt left out of the alert, and who was asked, if any."""
    more: dict[str, Any] = {_LEFT_OUT: left_out} if left_out else {}
    if attempts:
        more[ATTEMPTS] = [asdict(attempt) for attempt in attempts]
    return json.dumps(answer.model_dump(mode="json") | more)


def _left_out_in(result: str) -> int:
    return int(json.loads(result).get(_LEFT_OUT, 0))


def _report(conclusion: Conclusion, evidence: str, failed: Failed, left_out: int) -> Report:
    """Return the report with technique ids and quotations checked, and failed specialists named."""
    return Report(
        verdict=conclusion.verdict,
        severity=conclusion.severity,
        confidence=conclusion.confidence,
        techniques=attack.known(conclusion.techniques),
        unknown_techniques=attack.unknown(conclusion.techniques),
        findings=[
            FindingView(f.title, f.evidence, quoted=stands_in(evidence, f.evidence))
            for f in conclusion.findings
        ],
        recommended_actions=conclusion.recommended_actions,
        failed_specialists=[GapView(agent, error.code) for agent, error in failed.items()],
        evidence_left_out=left_out,
    )
