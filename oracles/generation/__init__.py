"""Generation: programs, inputs and cotangents that visit every face of every op, drawn with Hypothesis."""
