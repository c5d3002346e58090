#!/usr/bin/env python3
"""Our engine beside ONNX Runtime, OpenVINO, ncnn, MNN and OpenCV: the same network, the same input, one run.

A model "sface*16" is a batch of 16 pictures, and its times are those of one picture. ncnn has no batches: it runs 16 times.
IResNet-50 and SCRFD-2.5G have random weights (bench/made_networks.py). With --threads 2 a network of ours runs as two streams, one on a core, and its time is the time for a picture.
Bursts are interleaved round by round and pinned to one core (or two), denormals are flushed in
every engine, and each figure is the minimum and the median over all bursts. Ratios within one run
are what counts; absolute times belong to this machine. Results are checked against ONNX Runtime, so
that nobody wins by computing something else.

    python bench/peers.py --json build/bench/peers.json            # default models, one thread
    python bench/peers.py --models sface --engines ours,ort --rounds 20

Needs bench/requirements.txt (make bench-setup) and a finished build.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import made_networks

CLOCK = time.perf_counter  # --cpu-time: time.process_time
ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / ".cache" / "models"
WORK = ROOT / "build" / "bench"

# name: (weight file, input height, width, kind of input)
NETWORKS = {
    "sface": ("face_recognition_sface_2021dec_int8bq.onnx", 112, 112, "pixels"),
    "yunet": ("face_detection_yunet_2023mar_int8bq.onnx", 384, 640, "pixels"),
    "yunet640": ("face_detection_yunet_2023mar_int8bq.onnx", 640, 640, "pixels"),
    "centerface": ("centerface.onnx", 384, 640, "pixels"),
    "mobilefacenet": ("fr_feature.onnx", 112, 112, "normal"),
    "ultraface": ("fr_detect.onnx", 240, 320, "normal"),
    "iresnet50": ("iresnet50.onnx", 112, 112, "normal"),
    "scrfd25": ("scrfd25.onnx", 640, 640, "normal"),
}


def of_name(name):
    """Weight file, height, width, kind and batch of "sface" or "sface*16"."""
    base, _, batch = name.partition("*")
    file, h, w, kind = NETWORKS[base]
    path = made_networks.made(ROOT / ".cache" / "made", file) if file in made_networks.MADE else MODELS / file
    return path, h, w, kind, int(batch or 1)


def fixed_fp32(name):
    """An ordinary fp32 copy with a fixed input size: peers cannot read the block-quantised files."""
    import onnx
    sys.path.insert(0, str(ROOT / "tools"))
    import plain_onnx
    file, h, w, _, batch = of_name(name)
    out = WORK / f"{name.partition('*')[0]}_{h}x{w}.onnx"
    if not out.exists():
        model = plain_onnx.plain(onnx.load(str(file)), height=h, width=w)
        onnx.save(model, str(out))
    return of_batch(out, batch)


def of_batch(path, batch):
    """A copy for so many pictures at once."""
    import onnx
    out = path.with_name(f"{path.name[:-5]}_b{batch}.onnx")
    if batch > 1 and not out.exists():
        model = onnx.load(str(path))
        for v in list(model.graph.input) + list(model.graph.output):
            if v.type.tensor_type.shape.dim:
                v.type.tensor_type.shape.dim[0].dim_value = batch
        del model.graph.value_info[:]
        onnx.save(model, str(out))
    return out if batch > 1 else path


def alone(path):
    """The same network for one picture."""
    return path.with_name(re.sub(r"_b\d+\.onnx$", ".onnx", path.name))


def converted(cmd, made):
    """Run a converter once, quietly; its log stays beside its result."""
    if not made.exists():
        log = made.parent / (made.name + ".log")
        with open(log, "w") as f:
            subprocess.run(cmd, cwd=made.parent, stdout=f, stderr=f, check=False)
        if not made.exists():
            raise RuntimeError(f"conversion failed, see {log}")
    return made


CALIBRATION = None  # --calibrate: an .npy of crops, or a folder of pictures


def calibration(name, most=40):
    """Inputs for calibration: real crops or pictures, the same for every engine."""
    import numpy as np
    _, h, w, kind, _ = of_name(name)
    if not CALIBRATION:
        raise RuntimeError("int8 needs --calibrate FILE.npy (crops as u8, n x 3 x 112 x 112, for the recognisers) or a folder of pictures")
    path = Path(CALIBRATION.split(",")[0 if h == 112 else -1])
    if path.suffix == ".npy":
        crops = np.load(path, mmap_mode="r")
        if crops.shape[2:] != (h, w):
            raise RuntimeError(f"{path} has crops of {crops.shape[2:]}, not {h}x{w}")
        crops = crops[::max(1, len(crops) // most)][:most].astype(np.float32)
    else:
        import cv2
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        files = files[::max(1, len(files) // most)][:most]
        crops = np.stack([cv2.resize(cv2.imread(str(p)), (w, h)).transpose(2, 0, 1) for p in files]).astype(np.float32)
    if kind == "normal":
        crops = (crops - 127) / 128
    return [np.ascontiguousarray(c[None]) for c in crops]


def qdq(name, path):
    """ONNX Runtime's static quantisation, QDQ, channels of their own, u8 x s8, reduced range (no VNNI): its advice for such CPUs."""
    batch = int(name.partition("*")[2] or 1)
    path = alone(path)
    made = path.with_suffix(".qdq.onnx")
    if not made.exists():
        import onnxruntime as ort
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
        plain = path.with_suffix(".pre.onnx")
        import onnx
        import onnx.version_converter
        model = onnx.load(str(path))
        if model.opset_import[0].version < 13:  # scales of channels need 13
            model = onnx.version_converter.convert_version(model, 13)
        onnx.save(model, str(plain))
        quant_pre_process(str(plain), str(plain), skip_symbolic_shape=True)
        feed = ort.InferenceSession(str(plain), providers=["CPUExecutionProvider"]).get_inputs()[0].name

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.it = iter([{feed: v} for v in calibration(name)])

            def get_next(self):
                return next(self.it, None)

        vnni = "avx512_vnni" in Path("/proc/cpuinfo").read_text() or "avx_vnni" in Path("/proc/cpuinfo").read_text()
        quantize_static(str(plain), str(made), Reader(), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=not vnni,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return of_batch(made, batch)


class Ours:
    def __init__(self, name, path, x, threads, isa):
        file, h, w, _, _ = of_name(name)
        self.start([str(ROOT / "build" / "engine_server"), str(file), str(h), str(w), isa], name, x, threads)

    def start(self, command, name, x, threads):
        # One network runs on one thread: two threads are two streams, each on a core of its own.
        self.streams = []
        self.out_file = WORK / f"{name}.out"
        f = WORK / f"{name}.in"
        x[:1].tofile(f)
        self.pictures = len(x)
        for core in range(threads):
            self.p = subprocess.Popen((["taskset", "-c", str(core)] if threads > 1 else []) + command,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "BATCH": str(self.pictures)})  # fmt: skip
            head = self.p.stdout.readline().split()
            if not head or head[0] != "ready":
                raise RuntimeError("engine_server did not start")
            self.isa, self.macs = head[1], int(head[2])
            assert self.ask(f"in {f}") == "ok"
            self.streams.append(self.p)
        self.alone = []

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def burst(self, seconds, guess):
        n = max(1, int(seconds / guess / self.pictures))
        if len(self.streams) == 1:
            return [int(v) * 1e-9 for v in self.ask(str(n)).split()]
        # Pictures of both in the time that both take, in short turns; beside it one alone.
        self.alone += [int(v) * 1e-9 for v in self.ask(str(n)).split()]
        times, end, part = [], time.perf_counter() + seconds, max(1, int(0.03 / guess / self.pictures))
        while not times or time.perf_counter() < end:
            a = time.perf_counter()
            for p in self.streams:
                p.stdin.write(f"{part}\n")
                p.stdin.flush()
            for p in self.streams:
                p.stdout.readline()
            times.append((time.perf_counter() - a) / (part * self.pictures * len(self.streams)))
        return times

    def outputs(self, shapes):
        import numpy as np
        self.ask("1")
        assert self.ask(f"out {self.out_file}") == "ok"
        flat, res, at = np.fromfile(self.out_file, dtype=np.float32), [], 0
        for s in shapes:
            n = int(np.prod(s))
            res.append(flat[at:at + n].reshape(s))
            at += n
        return res


class OursInt8(Ours):
    """The same in eight bits, calibrated on what the peers' int8 models are calibrated on."""

    def __init__(self, name, path, x, threads, isa):
        file, h, w, _, _ = of_name(name)
        side = WORK / f"{name.partition('*')[0]}_{h}x{w}.q8"
        cmd = [str(ROOT / "build" / "engine_server"), str(file), str(h), str(w), isa, "3"]
        if not side.exists():
            self.p = subprocess.Popen(cmd + ["calibrate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.p.stdout.readline()
            for v in calibration(name):
                v.tofile(WORK / f"{name}.cal")
                assert self.ask(f"in {WORK / f'{name}.cal'}") == "ok" and self.ask("1")
            assert self.ask(f"side {side}") == "ok"
            self.p.stdin.close()
            self.p.wait()
        self.start(cmd + [str(side)], name + ".int8", x, threads)


class Peer:
    """run() executes once, for `pictures` pictures; outputs() returns a list of arrays."""
    pictures = 1

    def burst(self, seconds, guess):
        del guess
        times, end = [], time.perf_counter() + seconds
        self.run()
        while True:
            a = CLOCK()
            self.run()
            b = CLOCK()
            times.append((b - a) / self.pictures)
            if time.perf_counter() > end:
                return times


class Ort(Peer):
    def __init__(self, name, path, x, threads, isa):
        import onnxruntime as ort
        o = ort.SessionOptions()
        o.intra_op_num_threads, o.inter_op_num_threads, o.log_severity_level = threads, 1, 4
        o.add_session_config_entry("session.set_denormal_as_zero", "1")
        o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        s = ort.InferenceSession(str(path), o, providers=["CPUExecutionProvider"])
        self.io = s.io_binding()
        self.s = s
        self.io.bind_ortvalue_input(s.get_inputs()[0].name, ort.OrtValue.ortvalue_from_numpy(x))
        for v in s.get_outputs():
            self.io.bind_output(v.name, "cpu")

    def run(self):
        self.s.run_with_iobinding(self.io)

    def outputs(self, _):
        self.run()
        return self.io.copy_outputs_to_cpu()


class OpenVino(Peer):
    def __init__(self, name, path, x, threads, isa):
        import openvino as ov
        cfg = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32",
               "PERFORMANCE_HINT": "LATENCY", "CPU_DENORMALS_OPTIMIZATION": "YES"}
        self.m = ov.Core().compile_model(str(path), "CPU", cfg)
        self.r = self.m.create_infer_request()
        self.r.set_input_tensor(ov.Tensor(x, shared_memory=True))

    def run(self):
        self.r.infer()

    def outputs(self, _):
        import numpy as np
        self.run()
        return [np.array(self.r.get_output_tensor(i).data) for i in range(len(self.m.outputs))]


class Ncnn(Peer):
    def __init__(self, name, path, x, threads, isa):
        import ncnn
        path, self.singly = alone(path), len(x)
        d = WORK / f"ncnn_{path.stem}"
        d.mkdir(exist_ok=True)
        local = d / "m.onnx"
        if not local.exists():
            local.write_bytes(path.read_bytes())
        shape = ",".join(str(v) for v in x[:1].shape)
        converted([str(Path(sys.executable).parent / "pnnx"), "m.onnx", f"inputshape=[{shape}]", "fp16=0"], d / "m.ncnn.bin")
        net = ncnn.Net()
        net.opt.num_threads = threads
        net.opt.use_vulkan_compute = False
        for k in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(net.opt, k, False)
        net.load_param(str(d / "m.ncnn.param"))
        net.load_model(str(d / "m.ncnn.bin"))
        self.net, self.mat = net, ncnn.Mat(x[0]).clone()
        self.i, self.o = net.input_names()[0], list(net.output_names())

    def run(self):
        for _ in range(self.singly):
            e = self.net.create_extractor()
            e.input(self.i, self.mat)
            res = [e.extract(o)[1] for o in self.o]
        return res

    def outputs(self, _):
        import numpy as np
        return [np.array(v) for v in self.run()]


class Mnn(Peer):
    def __init__(self, name, path, x, threads, isa):
        import MNN
        made = WORK / f"{path.stem}.mnn"
        converted([str(Path(sys.executable).parent / "mnnconvert"), "-f", "ONNX", "--modelFile", str(path), "--MNNModel", str(made),
                   "--bizCode", "b"], made)
        self.it = MNN.Interpreter(str(made))
        self.s = self.it.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
        self.t = self.it.getSessionInput(self.s)
        self.x = MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe)
        self.MNN = MNN

    def run(self):
        self.t.copyFrom(self.x)
        self.it.runSession(self.s)

    def outputs(self, _):
        import numpy as np
        self.run()
        res = []
        for v in self.it.getSessionOutputAll(self.s).values():
            h = self.MNN.Tensor(v.getShape(), self.MNN.Halide_Type_Float, np.zeros(v.getShape(), np.float32),
                                self.MNN.Tensor_DimensionType_Caffe)
            v.copyToHostTensor(h)
            res.append(np.array(h.getNumpyData()).reshape(v.getShape()))
        return res


class OrtInt8(Ort):
    def __init__(self, name, path, x, threads, isa):
        super().__init__(name, qdq(name, path), x, threads, isa)


class OpenVinoInt8(OpenVino):
    def __init__(self, name, path, x, threads, isa):
        super().__init__(name, qdq(name, path), x, threads, isa)


class OpenCv(Peer):
    def __init__(self, name, path, x, threads, isa):
        import cv2
        import onnx
        cv2.setNumThreads(threads)
        made = path.with_suffix(".cv.onnx")
        if not made.exists():  # shapes of inner values are optional, and OpenCV does not like all of them
            model = onnx.load(str(path))
            del model.graph.value_info[:]
            model = onnx.shape_inference.infer_shapes(model)
            onnx.save(model, str(made))
        self.net, self.x = cv2.dnn.readNetFromONNX(str(made)), x
        self.names = self.net.getUnconnectedOutLayersNames()
        self.net.setInput(x)

    def run(self):
        return self.net.forward(self.names)

    def outputs(self, _):
        return [v.copy() for v in self.run()]


ENGINES = {"ours": Ours, "ort": Ort, "openvino": OpenVino, "ncnn": Ncnn, "mnn": Mnn, "opencv": OpenCv}
INT8 = {"ours-int8": OursInt8, "ort-int8": OrtInt8, "openvino-int8": OpenVinoInt8}


def agreement(ref, got):
    """Smallest cosine over the reference's outputs, each against the best output of its size."""
    import numpy as np
    worst = 1.0
    for r in ref:
        a = np.asarray(r, np.float64).ravel()
        best = -1.0
        for g in got:
            b = np.asarray(g, np.float64).ravel()
            if b.size >= a.size and b.size % a.size == 0:  # a batch: its first picture
                b = b[:a.size]
                best = max(best, float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-30)))
        worst = min(worst, best)
    return worst


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "?"


def measure(name, engines, threads, rounds, seconds, isa):
    import numpy as np
    path = fixed_fp32(name)
    _, h, w, kind, batch = of_name(name)
    if any(e in INT8 for e in engines):  # eight bits are made for real pictures
        x = calibration(name, 41)[-1]
    else:
        x = np.random.default_rng(1).standard_normal((1, 3, h, w)).astype(np.float32)
    if kind == "pixels" and not any(e in INT8 for e in engines):
        x = np.clip(x * 40 + 128, 0, 255).astype(np.float32)
    x = np.ascontiguousarray(np.repeat(x, batch, 0))
    run, ref, rows = {}, None, {}
    for e in engines:
        try:
            run[e] = {**ENGINES, **INT8}[e](name, path, x, threads, isa)
        except Exception as ex:  # a peer that cannot be had is named, not hidden
            print(f"  {name}: {e} left out: {str(ex)[:160]}", file=sys.stderr)
        else:
            run[e].pictures = batch
    if "ort" in run:
        ref = [o[:len(o) // batch] for o in run["ort"].outputs(None)]
    for e, r in run.items():
        cos = agreement(ref, r.outputs([o.shape for o in ref])) if ref is not None else None
        rows[e] = {"cosine_to_ort": cos, "times": []}
    guess = {e: min(r.burst(0.05, 0.02)) for e, r in run.items()}
    for _ in range(rounds):
        for e, r in run.items():
            time.sleep(0.01)
            rows[e]["times"] += r.burst(seconds, guess[e])
    for e, row in rows.items():
        t = np.array(row.pop("times")) * 1e3
        row.update(min_ms=float(t.min()), median_ms=float(np.median(t)), runs=int(t.size))
    for us, others in (("ours", ENGINES), ("ours-int8", INT8)):
        if us not in run:
            continue
        row = rows[us]
        row["isa"], row["macs"] = run[us].isa, run[us].macs
        row["gmac_per_s"] = run[us].macs / row["min_ms"] * 1e-6
        if run[us].alone:  # two streams: pictures a second of both over those of one
            row["streams_scaling"] = min(run[us].alone) * 1e3 / row["min_ms"]
            row["streams_scaling_median"] = float(np.median(run[us].alone)) * 1e3 / row["median_ms"]
        if us == "ours-int8" and "ours" in rows:
            row["ratio_to_own_fp32_min"] = row["min_ms"] / rows["ours"]["min_ms"]
        peers = {e: r for e, r in rows.items() if e in others and e != us}
        if peers:
            best = min(peers, key=lambda e: peers[e]["min_ms"])
            row["best_peer"] = best
            row["ratio_to_best_peer_min"] = row["min_ms"] / peers[best]["min_ms"]
            row["ratio_to_best_peer_median"] = row["median_ms"] / min(p["median_ms"] for p in peers.values())
    return rows


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--models", default="sface,yunet")
    ap.add_argument("--engines", default=",".join(ENGINES))
    ap.add_argument("--int8", action="store_true", help="eight bits beside: " + ", ".join(INT8))
    ap.add_argument("--calibrate", help="crops.npy, a folder of pictures, or both with a comma between (recognisers, detectors)")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--rounds", type=int, default=8)
    ap.add_argument("--burst", type=float, default=0.25, help="seconds an engine runs before the next has its turn")
    ap.add_argument("--isa", default="auto")
    ap.add_argument("--core", type=int, default=0)
    ap.add_argument("--cpu-time", action="store_true", help="processor time, one thread: for a machine that is not quiet")
    ap.add_argument("--json", help="write the figures here")
    a = ap.parse_args()
    global CLOCK
    if a.cpu_time and a.threads != 1:
        ap.error("--cpu-time is for one thread")
    if a.cpu_time:
        CLOCK, os.environ["BENCH_CLOCK"] = time.process_time, "cpu"
    os.environ["OMP_NUM_THREADS"] = str(a.threads)
    os.sched_setaffinity(0, {a.core} if a.threads == 1 else set(range(a.threads)))
    global CALIBRATION
    CALIBRATION = a.calibrate
    if a.int8:
        a.engines += "," + ",".join(INT8)
    WORK.mkdir(parents=True, exist_ok=True)
    res = {"cpu": cpu_model(), "threads": a.threads, "clock": "cpu" if a.cpu_time else "wall", "models": {}}
    for name in a.models.split(","):
        print(f"{name}: preparing", file=sys.stderr, flush=True)
        rows = res["models"][name] = measure(name, a.engines.split(","), a.threads, a.rounds, a.burst, a.isa)
        for e, r in sorted(rows.items(), key=lambda kv: kv[1]["min_ms"]):
            extra = f"  {r['gmac_per_s']:.1f} GMAC/s {r['isa']}  ratio to {r['best_peer']} {r['ratio_to_best_peer_min']:.3f} " \
                    f"(medians {r['ratio_to_best_peer_median']:.3f})" if "best_peer" in r else ""
            if "streams_scaling" in r:
                extra += f"  {a.threads} streams: x{r['streams_scaling']:.2f} (medians x{r['streams_scaling_median']:.2f})"
            cos = "-" if r["cosine_to_ort"] is None else f"{r['cosine_to_ort']:.7f}"
            print(f"  {name:14s} {e:13s} min {r['min_ms']:8.3f} ms  median {r['median_ms']:8.3f} ms  cosine to ort {cos}{extra}",
                  flush=True)
    if a.json:
        Path(a.json).parent.mkdir(parents=True, exist_ok=True)
        Path(a.json).write_text(json.dumps(res, indent=1) + "\n")


if __name__ == "__main__":
    main()
