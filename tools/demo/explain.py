"""The demo's JSON lines in words. Ends with 1 when what was seen is not what the scene holds."""
import json
import sys
from pathlib import Path

rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
alerts = [r for r in rows if r["type"] == "alert" and r.get("update", 0) == 0]
later = sum(r["type"] == "alert" and r.get("update", 0) > 0 for r in rows)
s = next(r for r in rows if r["type"] == "summary")

print("What vedette saw")
for a in alerts:
    print(f"  at {a['pts_ms'] / 1000:.1f} s  {a['person'].replace('-', ' ')}: similarity {a['similarity']:.2f}, and "
          f"{a['threshold']:.2f} is needed;\n             eyes {a['quality']['interocular_px']:.0f} pixels apart, the alert came "
          f"{a['latency_ms']:.0f} ms after the frame")
if later:
    print(f"  seen again {later} time{'s' * (later > 1)}: the same alert was updated, no new one was raised")
if not alerts:
    print("  nobody on the list")
print(f"  {s['faces']} faces in {s['frames']} frames, on {s['tracks']} tracks; {len(alerts)} alert, everybody else was "
      "compared, not named,\n  and forgotten when they left: their templates never touched a disk")
print("How it ran")
print(f"  {s['frames_per_second']:.0f} frames a second, {s['times_real_time']:.1f} x real time; "
      f"peak memory {s['peak_rss_bytes'] / 1e6:.0f} MB; {s['dropped']['late']} frames dropped")
print("What to look at")
print(f"  {sys.argv[2]}/annotated.mp4   the video: the alert framed, everybody else unrecognisable")
print(f"  {sys.argv[2]}/result.jsonl    the same as JSON lines")
people = [a["person"] for a in alerts]
if people != ["Walker-in-black"]:
    print(f"demo: expected one alert for Walker-in-black, got {people or 'none'}")
    sys.exit(1)
print("\ndemo: done, as expected: one listed person recognised, no stranger named")
