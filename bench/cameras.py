#!/usr/bin/env python3
"""Processor time a camera costs: vedette watch beside three pipelines of peers, the same weights, the same 1080p25 H.264 file, one
thread, pinned to one core, runs alternating. JSON.
  opencv      VideoCapture, FaceDetectorYN, FaceRecognizerSF on every face of every frame
  peers       the best that can be put together: libavcodec (PyAV), YuNet in ONNX Runtime, SFace in OpenVINO (the fastest here for
              each: bench/peers.py), a tracker of boxes, a face compared at its track's first three looks and every twelfth after
  peers-half  the same, and every second frame searched, as vedette does

    .cache/venv-bench/bin/python bench/cameras.py --clip CROWD.mp4 --watchlist FOLDER [--rounds 3] [--seconds 4] [--core 0]

Processor seconds, user and system, children included, start and enrolment taken off by a run on a tenth of the clip. Waiting for
others does not count; their share of caches does. Recall: the listed person is found or not; faces a searched frame beside it. The
peers' pipelines refine no landmarks, judge no quality, keep no record and blur nobody: they do less."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = ROOT / ".cache" / "models"


def cost(args):
    """Processor seconds and standard output."""
    with tempfile.TemporaryFile("w+") as out:
        p = subprocess.Popen([str(a) for a in args], stdout=out, stderr=subprocess.DEVNULL, cwd=ROOT)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if p.returncode:
        sys.exit(f"{args[0]} failed ({p.returncode}): {text[-500:]}")
    return usage.ru_utime + usage.ru_stime, text


def ours(clip, a):
    cpu, text = cost([a.vedette, "watch", clip, "--watchlist", a.watchlist, "--threads", 1, "--json"])
    s = json.loads(text.splitlines()[-1])
    return cpu, {"frames": s["frames"], "searched": s["searched"], "faces_a_searched_frame": s["faces"] / max(1, s["searched"]),
                 "comparisons": s["comparisons"], "found": s["alerts"] > 0}  # fmt: skip


def theirs(which):
    def run(clip, a):
        cpu, text = cost([sys.executable, __file__, "--inside", which, "--clip", clip, "--watchlist", a.watchlist])
        return cpu, json.loads(text.splitlines()[-1])

    return run


def plain(file, height, width):
    """An ordinary fp32 copy: OpenCV does not read the block-quantised recogniser."""
    import onnx

    sys.path.insert(0, str(ROOT / "tools"))
    import plain_onnx

    out = ROOT / "build" / "bench" / f"{file}_{height}x{width}.onnx"
    if not out.exists():
        model = plain_onnx.plain(onnx.load(str(MODELS / f"{file}.onnx")), height=height, width=width)
        del model.graph.value_info[:]  # some without a shape
        for o in model.graph.output:
            o.type.tensor_type.ClearField("shape")
        onnx.save(onnx.shape_inference.infer_shapes(model), str(out))
    return str(out)


SEEN = (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)  # in 112x112


class Peers:
    """YuNet in ONNX Runtime, SFace in OpenVINO, one thread each."""

    def __init__(self):
        import cv2
        import numpy as np
        import onnxruntime as ort
        import openvino as ov

        self.cv2, self.np, self.nets = cv2, np, {}
        self.options = ort.SessionOptions()
        self.options.intra_op_num_threads = self.options.inter_op_num_threads = 1
        self.session = ort.InferenceSession
        core = ov.Core()
        model = core.read_model(plain("face_recognition_sface_2021dec_int8bq", 112, 112))
        self.sface = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"})
        self.ask = self.sface.create_infer_request()

    def faces(self, img):
        """Rows of x, y, w, h, five points, score; img: BGR, no side over 960."""
        np, h, w = self.np, *(-(-n // 32) * 32 for n in img.shape[:2])
        if (h, w) not in self.nets:
            self.nets[h, w] = self.session(plain("face_detection_yunet_2023mar_int8bq", h, w), self.options, ["CPUExecutionProvider"])
        x = np.zeros((1, 3, h, w), np.float32)
        x[0, :, : img.shape[0], : img.shape[1]] = img.transpose(2, 0, 1)
        net = self.nets[h, w]
        names = [o.name for o in net.get_outputs()]
        out = dict(zip(names, net.run(None, {net.get_inputs()[0].name: x})))
        rows = []
        for s in (8, 16, 32):
            cls, obj, box, kps = (out[f"{k}_{s}"].reshape(-1, n) for k, n in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)))
            score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
            i = np.nonzero(score > 0.65)[0]
            at = np.stack((i % (w // s), i // (w // s)), 1)
            c, wh = (at + box[i, :2]) * s, np.exp(box[i, 2:]) * s
            rows.append(np.hstack((c - wh / 2, wh, ((kps[i].reshape(-1, 5, 2) + at[:, None]) * s).reshape(-1, 10), score[i, None])))
        rows = np.vstack(rows)
        keep = self.cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), 0.65, 0.45)
        return rows[np.asarray(keep, int).reshape(-1)]

    def template(self, img, points):
        """Similarity by least squares (Umeyama), as SFace's own code does."""
        np = self.np
        src, dst = np.asarray(points, np.float64).reshape(5, 2), np.asarray(SEEN)
        a, b = src - src.mean(0), dst - dst.mean(0)
        u, d, vt = np.linalg.svd(b.T @ a)
        s = np.diag([1, np.sign(np.linalg.det(u @ vt))])
        m = (d * np.diag(s)).sum() / (a**2).sum() * u @ s @ vt
        m = np.hstack((m, (dst.mean(0) - m @ src.mean(0))[:, None]))
        crop = self.cv2.warpAffine(img, m, (112, 112))
        x = crop[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        e = next(iter(self.ask.infer({0: x}).values())).reshape(-1)
        return e / np.linalg.norm(e)


def follow(tracks, found, n):
    """Greedy by overlap; (row, track) of each face, and which tracks live."""
    out, free = [], list(tracks)
    for f in found:
        best, of = 0.3, None
        for t in free:
            x, y = max(f[0], t["box"][0]), max(f[1], t["box"][1])
            w, h = min(f[0] + f[2], t["box"][0] + t["box"][2]) - x, min(f[1] + f[3], t["box"][1] + t["box"][3]) - y
            both = max(w, 0) * max(h, 0)
            iou = both / (f[2] * f[3] + t["box"][2] * t["box"][3] - both)
            if iou > best:
                best, of = iou, t
        if of is None:
            of = {"looks": 0, "hits": 0}
            tracks.append(of)
        else:
            free = [t for t in free if t is not of]
        of["box"], of["at"] = f[:4], n
        of["looks"] += 1
        out.append((f, of))
    tracks[:] = [t for t in tracks if n - t["at"] < 25]
    return out


def peers(a, every):
    import av

    p, refs = Peers(), []
    for path in sorted(pathlib.Path(a.watchlist).glob("*.jpg")):
        img = p.cv2.imread(str(path))
        k = min(1.0, 960 / max(img.shape[:2]))
        f = p.faces(p.cv2.resize(img, None, fx=k, fy=k, interpolation=p.cv2.INTER_AREA) if k < 1 else img)
        if len(f):
            refs.append(p.template(img, max(f, key=lambda r: r[2] * r[3])[4:14] / k))
    refs, tracks, n, searched, total, compared, found = p.np.array(refs), [], 0, 0, 0, 0, False
    with av.open(str(a.clip)) as video:
        stream = video.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in video.decode(stream):
            n += 1
            if (n - 1) % every:
                continue
            k = min(1.0, 960 / max(frame.width, frame.height))
            small = frame.reformat(round(frame.width * k), round(frame.height * k), "bgr24", interpolation="AREA").to_ndarray()
            rows, whole = p.faces(small), None
            searched, total = searched + 1, total + len(rows)
            for f, t in follow(tracks, rows, n):
                if t["looks"] > 3 and t["looks"] % 12:
                    continue
                if whole is None:
                    whole = frame.to_ndarray(format="bgr24")
                compared += 1
                t["hits"] += bool((refs @ p.template(whole, f[4:14] / k)).max() >= 0.447)
                found |= t["hits"] > 1
    print(json.dumps({"frames": n, "searched": searched, "faces_a_searched_frame": total / max(1, searched), "comparisons": compared, "found": found}))


def inside(a):
    import cv2

    cv2.setNumThreads(1)
    det = cv2.FaceDetectorYN.create(str(MODELS / "face_detection_yunet_2023mar_int8bq.onnx"), "", (320, 320), 0.6, 0.3, 500)
    rec = cv2.FaceRecognizerSF.create(plain("face_recognition_sface_2021dec_int8bq", 112, 112), "")

    def faces(img):
        k = min(1.0, 960 / max(img.shape[:2]))
        small = cv2.resize(img, None, fx=k, fy=k, interpolation=cv2.INTER_AREA) if k < 1 else img
        det.setInputSize((small.shape[1], small.shape[0]))
        _, found = det.detect(small)
        found = [] if found is None else found
        for f in found:
            f[:14] /= k
        return found

    refs = []
    for p in sorted(pathlib.Path(a.watchlist).glob("*.jpg")):
        img = cv2.imread(str(p))
        f = faces(img)
        if len(f):
            refs.append(rec.feature(rec.alignCrop(img, max(f, key=lambda r: r[2] * r[3]))))
    cap, n, total, hits = cv2.VideoCapture(str(a.clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), 0, 0, 0
    while True:
        ok, img = cap.read()
        if not ok:
            break
        found = faces(img)
        for f in found:
            e = rec.feature(rec.alignCrop(img, f))
            hits += any(rec.match(e, r) >= 0.447 for r in refs)
        n, total = n + 1, total + len(found)
    print(json.dumps({"frames": n, "searched": n, "faces_a_searched_frame": total / max(1, n), "comparisons": total, "found": hits > 1}))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--vedette", default=str(ROOT / "build" / "vedette"))
    p.add_argument("--clip", default=str(ROOT / ".cache/demo/crowd.mp4"))
    p.add_argument("--watchlist", default=str(ROOT / ".cache/demo/watchlist"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=4)
    p.add_argument("--core", type=int, default=0)
    p.add_argument("--inside", choices=["opencv", "peers", "peers-half"], help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.inside:
        return inside(a) if a.inside == "opencv" else peers(a, 1 + (a.inside == "peers-half"))
    os.sched_setaffinity(0, {a.core})
    with tempfile.TemporaryDirectory() as t:
        clips = []
        for name, s in (("long", a.seconds), ("short", a.seconds / 10)):
            clips.append(f"{t}/{name}.mp4")
            subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", a.clip, "-t", str(s), "-an", "-vf", "scale=1920:1080", "-r", "25", "-c:v",
                            "libx264", "-preset", "veryfast", "-crf", "23", clips[-1]], check=True)  # fmt: skip
        all_of = {"vedette": ours, **{n: theirs(n) for n in ("peers", "peers-half", "opencv")}}
        rows, what = {n: [] for n in all_of}, {}
        for _ in range(a.rounds):
            for name, fn in all_of.items():
                (long, w), (short, w0) = fn(clips[0], a), fn(clips[1], a)
                rows[name].append(1000 * (long - short) / (w["frames"] - w0["frames"]))
                what[name] = w
    out = {n: {"ms_a_frame_min": round(min(r), 2), "ms_a_frame_median": round(statistics.median(r), 2),
               "cameras_a_core": round(40 / min(r), 2), **what[n]} for n, r in rows.items()}  # fmt: skip
    for name in ("peers", "peers-half", "opencv"):
        out[name]["times_ours_by_minima"] = round(min(rows[name]) / min(rows["vedette"]), 2)
        out[name]["times_ours_by_medians"] = round(statistics.median(rows[name]) / statistics.median(rows["vedette"]), 2)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
