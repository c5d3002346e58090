"""Count what a ctest run came to and name every skip.

    summary.py LABEL JUNIT.xml CTEST_EXIT_STATUS

A test program may skip single cases and still pass: cmocka prints them, we repeat them here, so that
nobody takes silence for success. Exit status 0: nothing failed and something passed.
"""
import re
import sys
import xml.etree.ElementTree as ET

REASON = re.compile(r"^.*\bSKIP(?:PED)?\b.*$", re.M)
CMOCKA_COUNT = re.compile(r"listed below|SKIPPED TEST")


def main(label, path, ctest_status):
    passed, failed, skipped, lines = 0, [], 0, []
    try:
        cases = ET.parse(path).getroot().iter("testcase")
    except (OSError, ET.ParseError) as e:
        cases, failed = (), [f"no results: {e}"]
    for case in cases:
        name, out = case.get("name"), case.findtext("system-out") or ""
        told = [t.strip() for t in REASON.findall(out) if not CMOCKA_COUNT.search(t)]
        told = list(dict.fromkeys(told))
        if case.find("skipped") is not None or case.get("status") == "disabled":
            skipped += 1
            lines.append(f"SKIP {name}: {'; '.join(told[:3]) or 'gave no reason: a defect'}")
        elif case.get("status") == "run":
            passed += 1
            lines += [f"SKIP inside {name}: {t}" for t in told[:20]]
        else:
            failed.append(name)
    if int(ctest_status) and not failed:
        failed.append(f"ctest itself (exit status {ctest_status})")
    for line in lines:
        print(line[:300])
    for name in failed:
        print(f"FAIL {name}")
    print(f"{label}: {passed} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
