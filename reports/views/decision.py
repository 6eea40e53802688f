"""The decision alone, as lines and as JSON values: what `evalh gate` prints."""

from __future__ import annotations

from reports.claims import finding_rows
from reports.gate import Decision
from reports.plain import plain

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def render_decision(decision: Decision) -> str:
    """The result, what it recommends, the exit code, and why, one sentence a line."""
    head = f"{decision.gate_result.upper()}: {decision.promotion_recommendation} (exit code {decision.exit_code})"
    return "\n".join([head, *(f"- {plain(sentence, 600)}" for sentence in decision.rationale)]) + "\n"


def decision_json(decision: Decision) -> dict[str, Json]:
    """The decision as JSON values, every claim as it stands in a report's `findings`."""
    return {
        "policy": decision.policy,
        "gate_result": decision.gate_result.value,
        "promotion_recommendation": decision.promotion_recommendation.value,
        "exit_code": decision.exit_code,
        "infrastructure": decision.infrastructure,
        "claims": [row.model_dump(mode="json") for row in finding_rows(decision.findings)],
        "rationale": list(decision.rationale),
    }
