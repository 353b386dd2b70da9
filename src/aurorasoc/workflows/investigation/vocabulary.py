"""Words that stored investigations and their readers share."""

from __future__ import annotations

from typing import Literal

State = Literal["queued", "running", "completed", "failed", "interrupted"]
StepKind = Literal["plan", "specialist", "report"]
Verdict = Literal["true_positive", "false_positive", "benign", "inconclusive"]
Severity = Literal["informational", "low", "medium", "high", "critical"]
