"""All that people see and touch: the command line, the report and its companions."""
