"""Reads the report of one fuzzing run, prints one line of figures and fails unless the run was clean and complete.

Usage: fuzz_summary.py REPORT_JSON ROLE
"""

import json
import sys


def main() -> int:
    report_path, role = sys.argv[1:]
    with open(report_path, encoding="utf-8") as file:
        report = json.load(file)
    operations, cases = report["operations"], report["test_cases"]
    print(
        f"{role}: {cases['generated']} requests to {operations['tested']} of {operations['total']} operations, "
        f"{cases['with_failures']} with failures ({cases['unique_failures']} different), "
        f"{len(report['errors'])} errors"
    )
    for failure in report["failures"]:
        print(f"  {failure['title']}, {failure['count']} times: {', '.join(failure['operations'])}")
    clean = not report["failures"] and not report["errors"] and not cases["errored"]
    whole = report["complete"] and operations["tested"] == operations["selected"] > 0
    if not whole:
        print(f"  {role}: the run did not reach every operation ({report['stop_reason']})")
    return 0 if clean and whole else 1


if __name__ == "__main__":
    sys.exit(main())
