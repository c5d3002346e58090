#!/usr/bin/env python3
"""Count a deployment again, from an export of the record, without vedette.

    public_record.py EXPORT DEPLOYMENT              print the counts as JSON
    public_record.py EXPORT DEPLOYMENT RECORD.json  compare with a public record

EXPORT is the folder of `vedette audit export`; check it first (docs/audit.md). The rules are in
docs/reports.md. Python 3 and its standard library only. Exit status: 0 counted, or equal; 1 not
equal; 2 could not count.
"""
import json
import os
import sys

NAMES = ("duration_s", "faces", "watchlist_entries", "alerts", "blue_alerts", "said_match",
         "said_no_match", "engagements", "confirmed", "false_alerts", "arrests", "without_ground",
         "stops", "resumes", "starts", "refused_starts")  # fmt: skip
SIMPLE = {"alert.engaged": "engagements", "deployment.stopped": "stops",
          "deployment.resumed": "resumes", "deployment.refused": "refused_starts"}  # fmt: skip


def count(lines, deployment):
    c = dict.fromkeys(NAMES, 0)
    for line in lines:
        e = json.loads(line)
        if e["deployment"] != deployment:
            continue
        kind, f = e["kind"], e["fields"]
        if kind == "deployment.started":
            c["starts"] += 1
            c["watchlist_entries"] = f["entries"]
        elif kind == "deployment.cancelled":
            c["duration_s"] += (f["ended_ns"] - f["started_ns"]) // 10**9
            c["faces"] += f["faces"]
        elif kind == "alert.raised":
            c["blue_alerts" if f["blue"] else "alerts"] += 1
        elif kind == "alert.adjudicated":
            c["said_match" if f["decision"] == "match" else "said_no_match"] += 1
        elif kind == "alert.outcome":
            was, _, action = f["decision"].partition(" ")
            c["confirmed"] += was == "confirmed"
            c["false_alerts"] += was == "false-alert"
            c["arrests"] += action == "arrest"
            c["without_ground"] += bool(f["flagged"])
        elif kind in SIMPLE:
            c[SIMPLE[kind]] += 1
    return c


def main(args):
    if len(args) not in (2, 3):
        sys.stderr.write(__doc__)
        return 2
    try:
        with open(os.path.join(args[0], "entries.jsonl"), encoding="utf-8") as f:
            mine = count(f, args[1])
        theirs = None
        if len(args) == 3:
            with open(args[2], encoding="utf-8") as f:
                theirs = json.load(f)
    except (OSError, ValueError, KeyError, TypeError) as e:
        sys.stderr.write("public_record: %s: %s\n" % (type(e).__name__, e))
        return 2
    if theirs is None:
        print(json.dumps(mine, indent=2))
        return 0
    bad = [] if theirs.get("deployment") == args[1] else ["another deployment"]
    said = theirs.get("counts", {})
    bad += ["%s: the record has %s, the report says %s" % (k, mine.get(k), said.get(k))
            for k in sorted(set(mine) | set(said)) if mine.get(k) != said.get(k)]  # fmt: skip
    print("\n".join(bad) if bad else "EQUAL: %d counts of %s" % (len(mine), args[1]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
