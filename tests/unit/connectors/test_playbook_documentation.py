"""docs/playbooks.md: its example is a policy without mistakes, and its program runs."""

from __future__ import annotations

import re
from pathlib import Path

from clients.connectors.policy_text import read_policy
from ledger.policy.check import mistakes_of

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "playbooks.md").read_text(encoding="utf-8")


def test_the_example_is_a_policy_without_mistakes() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)

    found = read_policy(example, "playbooks.md")
    found.end()

    assert [] == mistakes_of(found.published.policy)
    (playbook,) = found.published.policy.playbooks
    assert ["stop_charges", "replacement", "call_back", "insurance"] == [step.step for step in playbook.steps]


def test_the_program_compiles() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)

    compile(example, "docs/playbooks.md", "exec")
