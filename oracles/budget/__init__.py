"""Budgets: the error that a sound implementation may make on a case, derived by running it on inflated balls."""
