"""The judges: programs, oracles, budgets, verdicts, subjects and campaigns."""
