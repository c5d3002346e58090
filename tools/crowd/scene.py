"""What is in the pictures: backdrops that move, walkers, light, smear, things in the way. Only numpy and OpenCV's
integer and float paths that give the same bytes in every run of one version; every choice comes from a seeded generator."""
import cv2
import numpy as np

ROOM = 0.28  # what is shown around the face's box, as a share of its height
SMEAR_MAX = 15


class Backdrop:
    """Walls, windows, blurred texture; pans and sways, and things move in it. No faces."""

    def __init__(self, rng, size):
        w, h = size
        self.size = size
        self.wide, self.high = int(w * 1.25) + 8, int(h * 1.15) + 8
        base = rng.uniform(60, 170, 3)
        y, x = np.mgrid[0:self.high, 0:self.wide].astype(np.float32)
        tilt = rng.uniform(-40, 40, 2)
        img = base[None, None] + (tilt[0] * x / self.wide + tilt[1] * y / self.high)[..., None]
        img = img.astype(np.float32)
        for _ in range(40):
            x0, y0 = int(rng.integers(0, self.wide)), int(rng.integers(0, self.high))
            a, b = int(rng.integers(4, max(5, self.wide // 6))), int(rng.integers(4, max(5, self.high // 3)))
            colour = base + rng.uniform(-60, 60, 3)
            cv2.rectangle(img, (x0, y0), (x0 + a, y0 + b), colour.tolist(), -1)
        coarse = rng.normal(0, 12, (self.high // 6 + 2, self.wide // 6 + 2, 3)).astype(np.float32)
        img += cv2.resize(coarse, (self.wide, self.high), interpolation=cv2.INTER_LINEAR)
        img = cv2.GaussianBlur(img, (0, 0), float(rng.uniform(1, 3)))
        self.img = np.clip(img, 0, 255).astype(np.uint8)
        self.pan, self.sway = rng.uniform(-0.35, 0.35), rng.uniform(0, 1.5)
        self.phase = rng.uniform(0, 6.28, 4)
        self.things = [(rng.uniform(0, 1), rng.uniform(-0.12, 0.12), rng.uniform(0, 1), rng.uniform(0.02, 0.09),
                        rng.uniform(20, 200, 3).tolist()) for _ in range(5)]
        self.noise = float(rng.uniform(1.5, 4))
        self.flicker = float(rng.uniform(0, 0.05))

    def at(self, frame, fps):
        w, h = self.size
        t = frame / fps
        sx, sy = self.wide - w, self.high - h
        x = int(round(sx * (0.5 + 0.5 * np.sin(self.pan * t + self.phase[0]))))
        y = int(round(np.clip(sy * 0.5 + self.sway * np.sin(2.1 * t + self.phase[1]), 0, sy)))
        img = self.img[y:y + h, x:x + w].copy()
        for x0, v, y0, r, colour in self.things:
            at = (int(((x0 + v * t) % 1.2 - 0.1) * w), int(y0 * h))
            cv2.ellipse(img, at, (int(r * h * 0.6) + 1, int(r * h) + 1), 0, 0, 360, colour, -1)
        gain = 1 + self.flicker * np.sin(9 * t + self.phase[2])
        return cv2.convertScaleAbs(img, alpha=float(gain))


class Walker:
    """One transit of one person. number: in the truth. Positions are of the face's centre, in pixels."""

    def __init__(self, rng, number, who, args):
        self.number = number
        self.person, self.picture, box, self.listed = who
        edges = args.heights
        k = number % (len(edges) - 1)
        self.height = float(edges[k] * (edges[k + 1] / edges[k]) ** rng.uniform(0.05, 0.85))
        self.growth = float(rng.uniform(1.0, 1.12))  # how much nearer they come; stays within the class, or nearly
        self.length = max(8, int(args.fps * args.seconds * rng.uniform(0.75, 1.3)))
        self.roll, self.roll_rate, self.roll_phase = rng.uniform(-5, 5), rng.uniform(1, 3), rng.uniform(0, 6.28)
        self.turn, self.turn_rate, self.turn_phase = rng.uniform(0, 0.16), rng.uniform(0.8, 2), rng.uniform(0, 6.28)
        self.bob, self.step = rng.uniform(0.01, 0.05), rng.uniform(8, 12)
        self.gain = float(np.exp(rng.uniform(-0.4, 0.3) * args.lighting))
        self.gain_rate = rng.uniform(0.3, 1.2)
        self.gain_depth = rng.uniform(0, 0.25) * args.lighting
        self.side_light = rng.uniform(-0.35, 0.35) * args.lighting
        self.defocus = float(rng.uniform(0, 0.018)) * args.blur  # of the height
        self.smear, self.smear_rate = rng.uniform(0, 0.06) * args.blur, rng.uniform(1, 4)
        self.cover = None
        if rng.uniform() < args.occlusion:
            at, lasts = rng.uniform(0.1, 0.7), rng.uniform(0.1, 0.3)
            self.cover = (at, at + lasts, rng.uniform(-0.5, 0.5), rng.uniform(0.25, 0.7), rng.uniform(10, 160, 3).tolist())
        self.clothes = rng.uniform(20, 150, 3).tolist()
        self.fps = args.fps
        self.first, self.last = 0, self.length - 1
        self.x0 = self.x1 = self.y0 = self.y1 = 0.0
        self.seen = []  # [frame, x0, y0, x1, y1, share to be seen]
        self._load(box)

    def _load(self, box):
        img = cv2.imread(str(self.picture), cv2.IMREAD_COLOR)
        x0, y0, x1, y1 = box
        tall = y1 - y0
        pad = ROOM * tall
        left, top = int(np.floor(x0 - pad)), int(np.floor(y0 - pad))
        right, bottom = int(np.ceil(x1 + pad)), int(np.ceil(y1 + pad))
        h, w = img.shape[:2]
        need = [max(0, -top), max(0, bottom - h), max(0, -left), max(0, right - w)]
        img = cv2.copyMakeBorder(img, *need, cv2.BORDER_REPLICATE)
        top, left = top + need[0], left + need[2]
        patch = img[top:bottom + need[0], left:right + need[2]]
        # Twice as large as it will be at most: shrunk once, well, then warped.
        scale = min(1.0, 2 * self.height * self.growth / tall)
        size = (max(8, round(patch.shape[1] * scale)), max(8, round(patch.shape[0] * scale)))
        self.patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        self.tall = tall * size[1] / patch.shape[0]
        self.wide = (x1 - x0) * size[0] / patch.shape[1]
        self.centre = (((x0 + x1) / 2 + need[2] - left) * size[0] / patch.shape[1],
                       ((y0 + y1) / 2 + need[0] - top) * size[1] / patch.shape[0])
        ph, pw = self.patch.shape[:2]
        y, x = np.mgrid[0:ph, 0:pw].astype(np.float32)
        r = np.hypot((x - self.centre[0]) / (self.wide * 0.5 + self.tall * 0.16),
                     (y - self.centre[1]) / (self.tall * 0.5 + self.tall * 0.16))
        self.alpha = np.clip((1.08 - r) / 0.12, 0, 1)
        self.light = 1 + self.side_light * (x - self.centre[0]) / self.wide
        self.light = self.light.astype(np.float32)

    def stay(self, args):
        """Tracks without video: in the middle, swaying."""
        self.first, self.last = 0, 10 ** 6

    def pose(self, frame):
        """(centre x, y, height, matrix from patch to picture)."""
        t = (frame - self.first) / self.fps
        p = (frame - self.first) / max(1, self.length - 1)
        height = self.height * (1 + (self.growth - 1) * min(1.0, p))
        x = self.x0 + (self.x1 - self.x0) * p
        y = self.y0 + (self.y1 - self.y0) * p + self.bob * height * np.sin(self.step * t)
        s = height / self.tall
        a = np.deg2rad(self.roll + 4 * np.sin(self.roll_rate * t + self.roll_phase))
        narrow = 1 - self.turn * (0.5 + 0.5 * np.sin(self.turn_rate * t + self.turn_phase))
        lean = 0.35 * self.turn * np.sin(self.turn_rate * t + self.turn_phase)
        m = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ np.array([[s * narrow, s * lean], [0, s]])
        return x, y, height, m

    def box(self, frame, at=None):
        """Of the turned face: what encloses the ellipse in the box of the picture."""
        x, y, _, m = self.pose(frame)
        if at:
            x, y = at
        rx = float(np.hypot(m[0, 0] * self.wide / 2, m[0, 1] * self.tall / 2))
        ry = float(np.hypot(m[1, 0] * self.wide / 2, m[1, 1] * self.tall / 2))
        return x - rx, y - ry, x + rx, y + ry

    def truth(self, camera, args):
        usable = [s for s in self.seen if s[5] >= args.usable[1] and s[4] - s[2] >= args.usable[0]]
        return {"walker": self.number, "camera": camera, "person": self.person, "listed": self.listed,
                "picture": self.picture.name, "height_px": round(max((s[4] - s[2] for s in self.seen), default=0), 2),
                "first_usable_ms": round(1000 * usable[0][0] / args.fps) if usable else None, "usable_frames": len(usable),
                "light": round(self.gain, 3), "defocus": round(self.defocus, 4), "smear": round(self.smear, 4),
                "covered": bool(self.cover), "boxes": self.seen}


def lay_out(walkers, rng, args):
    """When and where each comes by: along lanes, the far ones higher up, one after the other."""
    w, h = args.size
    t = 0.0
    for walker in walkers:
        tall = walker.height * walker.growth
        walker.first = int(t * args.fps)
        walker.last = walker.first + walker.length - 1
        t += args.gap * rng.uniform(0.5, 1.5)
        margin = 0.3 * tall
        low, high = 0.7 * tall, max(0.7 * tall + 1, h - 0.75 * tall)
        lane = low + (high - low) * float(np.clip(0.15 + 0.7 * (walker.height - args.heights[0]) /
                                                  max(1, args.heights[-1] - args.heights[0]) + rng.uniform(-0.15, 0.3), 0, 1))
        speed = rng.uniform(0.6, 1.6) * walker.height * walker.length / args.fps
        reach = float(np.clip(speed, 0.05 * w, 0.8 * w))
        side = 1 if rng.uniform() < 0.5 else -1
        start = rng.uniform(margin, max(margin + 1, w - margin - reach))
        enters = rng.uniform() < 0.5  # by the picture's edge
        if enters:
            start = -0.4 * tall
        walker.x0, walker.x1 = (start, start + reach) if side > 0 else (w - start, w - start - reach)
        walker.y0 = lane
        walker.y1 = float(np.clip(lane + rng.uniform(-0.05, 0.08) * h, low, high))


def draw(img, walkers, frame, centre=False):
    """Paint who is there, the far ones first, and note the boxes with what is to be seen of each face."""
    here = sorted((w for w in walkers if w.first <= frame <= w.last), key=lambda w: (w.height, w.number))
    if not here:
        return
    h, w = img.shape[:2]
    owner = np.full((h, w), -1, np.int32)
    areas = {}
    for walker in here:
        at = (w / 2, h / 2) if centre else None
        x, y, height, m = walker.pose(frame)
        if at:
            x, y = at
        paint(img, owner, walker, frame, x, y, height, m, areas)
    for walker in here:
        box = walker.box(frame, (w / 2, h / 2) if centre else None)
        whole, _ = areas[walker.number]
        part = owner[max(0, int(box[1]) - 2):max(0, int(box[3]) + 3), max(0, int(box[0]) - 2):max(0, int(box[2]) + 3)]
        share = float(np.count_nonzero(part == walker.number)) / whole if whole else 0.0
        if box[2] > 0 and box[3] > 0 and box[0] < w and box[1] < h:
            walker.seen.append([frame, *(round(v, 2) for v in box), round(min(1.0, share), 3)])


def paint(img, owner, walker, frame, x, y, height, m, areas):
    h, w = img.shape[:2]
    pad = int(height * 1.1) + 4
    X0, Y0 = int(np.floor(x)) - pad, int(np.floor(y)) - pad
    side = 2 * pad
    c = walker.centre
    shift = np.array([x - X0, y - Y0]) - m @ np.array(c)
    full = np.hstack([m, shift[:, None]]).astype(np.float64)
    face = cv2.warpAffine(walker.patch * walker.light[..., None], full, (side, side), flags=cv2.INTER_LINEAR)
    alpha = cv2.warpAffine(walker.alpha, full, (side, side), flags=cv2.INTER_LINEAR)
    t = (frame - walker.first) / walker.fps
    gain = walker.gain * (1 + walker.gain_depth * np.sin(walker.gain_rate * t * 2 + walker.roll_phase))
    face *= np.float32(gain)
    if walker.defocus * height > 0.2:
        sigma = walker.defocus * height
        face, alpha = cv2.GaussianBlur(face, (0, 0), sigma), cv2.GaussianBlur(alpha, (0, 0), sigma)
    smear = int(min(SMEAR_MAX, walker.smear * height * abs(np.sin(walker.smear_rate * t)) + 0.5))
    if smear > 1:
        face, alpha = cv2.blur(face, (smear, 1)), cv2.blur(alpha, (smear, 1))
    # shoulders, below and behind the head
    body = np.zeros((side, side), np.uint8)
    middle = (int(round(x - X0)), int(round(y - Y0)))
    cv2.ellipse(body, (middle[0], middle[1] + int(1.05 * height)), (int(0.95 * height), int(0.55 * height)), 0, 0, 360, 255, -1)
    whole = np.zeros((side, side), np.uint8)
    cv2.ellipse(whole, middle, (max(1, int(round(np.hypot(m[0, 0] * walker.wide / 2, m[0, 1] * walker.tall / 2)))),
                                max(1, int(round(height / 2)))), 0, 0, 360, 1, -1)
    areas[walker.number] = (int(whole.sum()), None)
    cx0, cy0, cx1, cy1 = max(0, X0), max(0, Y0), min(w, X0 + side), min(h, Y0 + side)
    if cx0 >= cx1 or cy0 >= cy1:
        return
    part = np.s_[cy0 - Y0:cy1 - Y0, cx0 - X0:cx1 - X0]
    view, own = img[cy0:cy1, cx0:cx1], owner[cy0:cy1, cx0:cx1]
    b = body[part] > 0
    view[b] = np.clip(np.array(walker.clothes) * gain, 0, 255).astype(np.uint8)
    a = alpha[part][..., None]
    view[:] = np.clip(view * (1 - a) + face[part] * a + 0.5, 0, 255).astype(np.uint8)
    own[b | (alpha[part] > 0.5)] = -1
    own[whole[part] > 0] = walker.number
    if walker.cover:
        begin, end, off, size, colour = walker.cover
        p = (frame - walker.first) / max(1, walker.length - 1)
        if begin <= p <= end:
            half = size * height / 2
            gx = x + off * height * 0.6 * (1 - 2 * (p - begin) / (end - begin))
            x0, x1 = int(round(gx - half)), int(round(gx + half))
            x0, x1 = max(0, x0), min(w, x1)
            y0, y1 = max(0, int(y - 0.8 * height)), min(h, int(y + 1.4 * height))
            if x0 < x1 and y0 < y1:
                img[y0:y1, x0:x1] = np.array(colour, np.uint8)
                owner[y0:y1, x0:x1] = -1


def degrade(img, rng, sigma):
    """Noise of the sensor: a tile of it, laid down somewhere else in every frame."""
    h, w = img.shape[:2]
    key = (h, w, sigma)
    if key not in _NOISE:
        tile = np.random.default_rng(20260101).normal(0, sigma, (512, 512)).astype(np.float32)
        _NOISE.clear()
        _NOISE[key] = np.tile(np.round(tile).astype(np.int16), (h // 512 + 2, w // 512 + 2))
    dy, dx = (int(v) for v in rng.integers(0, 512, 2))
    noise = np.ascontiguousarray(_NOISE[key][dy:dy + h, dx:dx + w])
    return cv2.add(img, cv2.merge([noise] * 3), dtype=cv2.CV_8U)


_NOISE = {}
