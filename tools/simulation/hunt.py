"""Runs seeds until one of them breaks a rule: the process of one mutant, see `mutants`.

In: a JSON array of seeds, each with its scenario or an empty text. Out: a JSON object with the number of runs
and, if a rule was broken, the seed, its scenario and the rule.
"""

from __future__ import annotations

import gc
import json
import sys

from tools.simulation.runner import Options, run


def main() -> None:
    """Read the seeds from standard input, and run them."""
    gc.disable()
    found: dict[str, object] = {"rule": ""}
    runs = 0
    for seed, scenario in json.load(sys.stdin):
        runs += 1
        result = run(seed, Options(scenario), tells=False)
        if result.violations:
            found = {"rule": result.violations[0].rule, "seed": seed, "scenario": scenario}
            break
        if runs % 20 == 0:
            gc.collect()
    print(json.dumps({"runs": runs, **found}))


if __name__ == "__main__":
    main()
