"""A witness of c2sp.org/tlog-witness, written from the specifications alone: no code of ours, no
library but Python's. Ed25519 is that of RFC 8032, appendix A.

    witness.py LOG-VKEY [wrong]   prints its own key and port, then answers until it is killed;
                                  "wrong": it signs something else than it was shown
"""
import base64
import hashlib
import http.server
import signal
import sys

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def sha512(b):
    return int.from_bytes(hashlib.sha512(b).digest(), "little")


def add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul(s, p):
    r = (0, 1, 1, 0)
    while s:
        if s & 1:
            r = add(r, p)
        p, s = add(p, p), s >> 1
    return r


def find_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - x2) % P == 0
    return P - x if x & 1 != sign else x


GY = 4 * pow(5, P - 2, P) % P
G = (find_x(GY, 0), GY, 1, find_x(GY, 0) * GY % P)


def pack(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def unpack(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = find_x(y, sign)
    return x, y, 1, x * y % P


def expand(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
    return a, h[32:]


def sign(seed, msg):
    a, prefix = expand(seed)
    pub = pack(mul(a, G))
    r = sha512(prefix + msg) % Q
    rs = pack(mul(r, G))
    return rs + ((r + sha512(rs + pub + msg) * a) % Q).to_bytes(32, "little")


def verify(pub, msg, sig):
    s = int.from_bytes(sig[32:], "little")
    if s >= Q:
        return False
    h = sha512(sig[:32] + pub + msg) % Q
    return pack(mul(s, G)) == pack(add(unpack(sig[:32]), mul(h, unpack(pub))))


def node(a, b):
    return hashlib.sha256(b"\1" + a + b).digest()


def consistent(old, old_root, size, root, proof):
    """RFC 9162, 2.1.4.2."""
    if old == 0:
        return not proof
    if old == size:
        return not proof and old_root == root
    proof = list(proof)
    if old & old - 1 == 0:
        proof.insert(0, old_root)
    if not proof:
        return False
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == root and sn == 0


NAME = "witness.example/w1"
SEED = hashlib.sha256(b"a test's witness").digest()
PUB = pack(mul(expand(SEED)[0], G))
ID = hashlib.sha256(NAME.encode() + b"\n\x04" + PUB).digest()[:4]
VKEY = "%s+%s+%s" % (NAME, ID.hex(), base64.b64encode(b"\x04" + PUB).decode())
LOG_NAME, LOG_ID, LOG_KEY = sys.argv[1].split("+", 2)
LOG_PUB = base64.b64decode(LOG_KEY)[1:]
WRONG = "wrong" in sys.argv
known = {"size": 0, "root": b"", "time": 1800000000}


def judge(body):
    head, _, note = body.partition("\n\n")
    text, _, sigs = note.partition("\n\n")
    text += "\n"
    lines = head.split("\n")
    origin, size, root = text.split("\n")[:3]
    old, size, root = int(lines[0].split()[1]), int(size), base64.b64decode(root)
    proof = [base64.b64decode(x) for x in lines[1:]]
    if origin != LOG_NAME:
        return 404, "not my log\n"
    for line in sigs.strip().split("\n"):
        _, name, sig = line.split(" ")
        sig = base64.b64decode(sig)
        if name == LOG_NAME and sig[:4].hex() == LOG_ID:
            if not verify(LOG_PUB, text.encode(), sig[4:]):
                return 403, "wrongly signed\n"
            break
    else:
        return 403, "not signed by the log\n"
    if old > size:
        return 400, "backwards\n"
    if old != known["size"]:
        return 409, "%d\n" % known["size"]
    if old == size and root != known["root"]:
        return 409, "%d\n" % known["size"]
    if not consistent(old, known["root"], size, root, proof):
        return 422, "another history\n"
    known.update(size=size, root=root, time=known["time"] + 1)
    msg = "cosignature/v1\ntime %d\n%s" % (known["time"], text if not WRONG else text + "more\n")
    sig = ID + known["time"].to_bytes(8, "big") + sign(SEED, msg.encode())
    return 200, "\u2014 %s %s\n" % (NAME, base64.b64encode(sig).decode())


class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        code, text = judge(body) if self.path == "/w/add-checkpoint" else (404, "")
        self.send_response(code)
        data = text.encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
print(VKEY, server.server_port, flush=True)
signal.alarm(240)  # whoever forgets to kill it is not left with it
server.serve_forever()
