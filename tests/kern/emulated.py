#!/usr/bin/env python3
"""The kernels and the program on CPUs that we do not have, under qemu-user.

    emulated.py CPU LEVEL CHECKKERN [VEDETTE] [TEST...]

CPU is a name that `qemu-x86_64 -cpu` knows, LEVEL the instruction-set level that must be chosen there.
checkkern must pass at LEVEL and skip what lies above, aloud; on a CPU with no level but c it must say
so by status 77. `vedette doctor` must report LEVEL. Each further TEST is a program that must pass. Nothing may die of an illegal instruction.
Exit status: 0 right, 1 wrong, 77 no qemu-x86_64, no program for it, or another architecture.
"""
import os
import platform
import re
import shutil
import subprocess
import sys

LEVELS = ["c", "avx2", "avx512", "vnni"]


def run(qemu, cpu, *command):
    env = {k: v for k, v in os.environ.items() if k != "VEDETTE_ISA"}
    return subprocess.run([qemu, "-cpu", cpu, *command], capture_output=True, text=True, env=env,
                          timeout=240)  # fmt: skip


def check_kernels(qemu, cpu, level, binary):
    r = run(qemu, cpu, binary, "--quick", "--seed", "1")
    wrong = []
    if r.returncode != (77 if level == "c" else 0):
        wrong.append(f"checkkern ended with {r.returncode}")
    if r.returncode < 0 or "lacks" in r.stdout:
        wrong.append("checkkern ran an instruction that the CPU lacks")
    if "0 wrong in" not in r.stdout:
        wrong.append("checkkern did not report 0 wrong")
    for name in LEVELS[LEVELS.index(level) + 1:]:
        if f"SKIP level {name}:" not in r.stdout:
            wrong.append(f"level {name} was not skipped aloud")
    if f"({level} is the highest)" not in r.stdout:
        wrong.append(f"the highest level is not {level}")
    if wrong:
        print(r.stdout[-3000:], r.stderr[-1000:])
    else:  # "skip" in other words: here it is what we wanted to see
        print("\n".join(line.replace("SKIP", "left out:") for line in r.stdout.splitlines()))
    return wrong


def check_doctor(qemu, cpu, level, binary):
    r = run(qemu, cpu, binary, "doctor", "--json")
    found = re.search(r'"what":"processor"[^}]*: the (\w+) path', r.stdout)
    if found and found.group(1) == level and r.returncode >= 0:
        print(f"vedette doctor: the {level} path")
        return []
    print(r.stdout[-2000:], r.stderr[-1000:])
    return [f"vedette doctor ended with {r.returncode} and did not report the {level} path"]


def check_test(qemu, cpu, binary):
    r = run(qemu, cpu, binary)
    name = os.path.basename(binary)
    if r.returncode == 0:
        print(f"{name}: passes")
        return []
    print(r.stdout[-2000:], r.stderr[-1000:])
    return [f"{name} ended with {r.returncode}"]


def main(cpu, level, checkkern, vedette=None, *tests):
    qemu = shutil.which("qemu-x86_64")
    if platform.machine() != "x86_64":
        print(f"SKIP {cpu}: this is {platform.machine()}, the levels are those of x86-64")
        return 77
    if not qemu:
        print(f"SKIP {cpu}: no qemu-x86_64 here (Debian package qemu-user)")
        return 77
    print(f"{cpu} by {qemu}")
    wrong = check_kernels(qemu, cpu, level, checkkern)
    if vedette:
        wrong += check_doctor(qemu, cpu, level, vedette)
    for t in tests:
        wrong += check_test(qemu, cpu, t)
    for w in wrong:
        print(f"FAIL {cpu}: {w}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
