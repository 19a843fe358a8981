"""Counts the tests in a report: prints "PASSED FAILED SKIPPED".

usage: count_tests.py KIND FILE...

KIND is junit (ctest, meson, pytest), trx (dotnet test), tap (check_install.sh)
or cargo (the output of cargo test). A missing or unreadable file counts
nothing; the caller sees from the exit status that something died.
"""

import re
import sys
import xml.etree.ElementTree as ET


def junit(path):
    passed = failed = skipped = 0
    for case in ET.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def trx(path):
    outcomes = [
        node.get("outcome")
        for node in ET.parse(path).iter()
        if node.tag.endswith("}UnitTestResult")
    ]
    passed, skipped = outcomes.count("Passed"), outcomes.count("NotExecuted")
    return passed, len(outcomes) - passed - skipped, skipped


def tap(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    failed = sum(line.startswith("not ok") for line in lines)
    ok = [line for line in lines if line.startswith("ok")]
    skipped = sum("# SKIP" in line for line in ok)
    return len(ok) - skipped, failed, skipped


def cargo(path):
    pattern = r"^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored"
    with open(path, encoding="utf-8", errors="replace") as file:
        results = re.findall(pattern, file.read(), re.MULTILINE)
    return tuple(sum(int(result[i]) for result in results) for i in range(3))


def main():
    count = {"junit": junit, "trx": trx, "tap": tap, "cargo": cargo}[sys.argv[1]]
    totals = [0, 0, 0]
    for path in sys.argv[2:]:
        try:
            totals = [a + b for a, b in zip(totals, count(path))]
        except (OSError, ET.ParseError) as error:
            print(f"{path}: {error}", file=sys.stderr)
    print(*totals)


if __name__ == "__main__":
    main()
