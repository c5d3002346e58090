"""A line to a camera that breaks in every way that lines break: a TCP proxy with a menu of faults.

    proxy = Proxy(("127.0.0.1", camera_port));  proxy.port;  proxy.set("stall");  proxy.set(None)

It understands so much of RTSP that it can tell answers from interleaved packets ('$' and a length)."""
import random
import socket
import struct
import threading
import time

FAULTS = {
    "refuse": "nobody listens, and what was open is reset",
    "reset": "open connections are reset, new ones work",
    "blackhole": "connections are taken, and no byte passes in either direction",
    "stall": "answers pass, pictures do not",
    "truncate": "the connection ends in the middle of a packet; new ones, too, after a while",
    "garbage": "payloads are noise",
    "noise": "everything is noise, answers too",
    "slow": "a byte now and then",
    "unauthorised": "every request is answered 401",
    "notfound": "every request is answered 404",
    "flap": "half a second there, half a second not",
    "loss": "a tenth of the packets is missing",
    "jitter": "packets wait up to 80 ms, in order",
    "mutate": "bytes of answers and packets are changed, their headers too",
    "leap": "the camera's clock jumps an hour ahead, and stays there",
    "back": "the camera's clock jumps an hour back, and stays there",
    "wrap": "RTP time stamps pass their 32 bits half a second later",
}


def reset(s):
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    except OSError:
        pass


class Proxy:
    def __init__(self, upstream, seed=1):
        self.upstream, self.fault, self.rng = upstream, None, random.Random(seed)
        self.lock, self.open, self.ended = threading.Lock(), set(), False
        self.connections = 0
        self.since = 0.0
        self.listener = None
        self.port = 0
        self._listen()
        threading.Thread(target=self._flapper, daemon=True).start()

    # --- faults
    def set(self, fault):
        assert fault is None or fault in FAULTS
        self.since = time.monotonic()
        self.fault = fault
        if fault == "refuse":
            self._deaf()
        elif not self.listener:
            self._listen()
        if fault in ("refuse", "reset", "unauthorised", "notfound", "noise"):
            self.cut()

    def cut(self):
        with self.lock:
            for pair in list(self.open):
                for s in pair:
                    reset(s)
            self.open.clear()

    def close(self):
        self.ended = True
        self._deaf()
        self.cut()

    # --- plumbing
    def _listen(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", self.port))
        s.listen(64)
        self.port = s.getsockname()[1]
        self.listener = s
        threading.Thread(target=self._accept, args=(s,), daemon=True).start()

    def _deaf(self):
        s, self.listener = self.listener, None
        if s:
            s.shutdown(socket.SHUT_RDWR)
            s.close()

    def _flapper(self):
        while not self.ended:
            time.sleep(0.5)
            if self.fault == "flap":
                if self.listener:
                    self._deaf()
                    self.cut()
                else:
                    self._listen()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self.fault in ("unauthorised", "notfound"):
                return self._refuse(client)
            server = socket.create_connection(self.upstream, timeout=5)
        except OSError:
            return reset(client)
        for s in (client, server):
            s.settimeout(0.05)  # nobody sits in a call while another closes: that would delay the reset
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, server)
        with self.lock:
            self.open.add(pair)
        up = threading.Thread(target=self._up, args=pair, daemon=True)
        up.start()
        self._down(client, server)
        with self.lock:
            self.open.discard(pair)
        for s in pair:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        up.join(2)
        for s in pair:
            s.close()

    def _refuse(self, client):
        words = {"unauthorised": "401 Unauthorized", "notfound": "404 Not Found"}[self.fault]
        client.settimeout(5)
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                got = client.recv(4096)
                if not got:
                    return client.close()
                head += got
            cseq = next((x.split(b":")[1].strip() for x in head.split(b"\r\n")
                         if x.lower().startswith(b"cseq")), b"1")
            extra = 'WWW-Authenticate: Digest realm="x", nonce="1234"\r\n' if "401" in words else ""
            client.sendall(f"RTSP/1.0 {words}\r\nCSeq: {cseq.decode()}\r\n{extra}\r\n".encode())

    @staticmethod
    def _recv(s):
        while True:
            try:
                return s.recv(65536)
            except TimeoutError:
                pass

    @staticmethod
    def _send(s, data):
        while data:
            try:
                data = data[s.send(data) :]
            except TimeoutError:
                pass

    def _hold(self):
        while self.fault == "blackhole" and not self.ended:
            time.sleep(0.01)

    def _up(self, client, server):
        try:
            while got := self._recv(client):
                if self.fault == "blackhole":
                    self._hold()  # what was sent into it is lost, as after a change of route
                    continue
                self._send(server, got)
        except OSError:
            pass
        try:
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _packets(self, server):
        """Answers (as bytes) and interleaved packets (as (True, bytes))."""
        buf = b""
        while got := self._recv(server):
            buf += got
            while buf:
                if buf[0] == 0x24:
                    if len(buf) < 4 or len(buf) < 4 + struct.unpack(">H", buf[2:4])[0]:
                        break
                    n = 4 + struct.unpack(">H", buf[2:4])[0]
                    yield True, buf[:n]
                    buf = buf[n:]
                else:
                    n = buf.find(b"$") if buf.find(b"$") > 0 else len(buf)
                    if not buf.startswith(b"RTSP/"):
                        n = len(buf)
                    yield False, buf[:n]
                    buf = buf[n:]

    def _down(self, client, server):
        shift, shifted = 0, None
        try:
            for packet, data in self._packets(server):
                f = self.fault
                if f == "blackhole":
                    self._hold()
                    continue
                if f == "stall" and packet:
                    continue
                if f == "truncate" and packet:
                    self._send(client, data[: len(data) // 2])
                    return
                if packet and data[1] == 0 and len(data) >= 16 and f in ("leap", "back", "wrap"):
                    if f != shifted:
                        stamp = struct.unpack(">I", data[8:12])[0]
                        shift = {"leap": 90000 * 3600, "back": -90000 * 3600, "wrap": -45000 - stamp}[f]
                        shifted = f
                if shift and packet and data[1] == 0 and len(data) >= 16:
                    stamp = (struct.unpack(">I", data[8:12])[0] + shift) & 0xFFFFFFFF
                    data = data[:8] + struct.pack(">I", stamp) + data[12:]
                if f == "mutate" and self.rng.random() < 0.1:
                    changed = bytearray(data)
                    for _ in range(self.rng.randint(1, 6)):
                        # Headers hold more to break than pictures do.
                        at = self.rng.randrange(min(len(data), 40) if packet else len(data))
                        changed[at] = self.rng.choice([0, 0xFF, 0x7F, 0x80, self.rng.randrange(256)])
                    data = bytes(changed)
                if f == "garbage" and packet:
                    data = data[:16] + self.rng.randbytes(len(data) - 16) if len(data) > 16 else data
                elif f == "noise":
                    data = self.rng.randbytes(len(data))
                elif f == "loss" and packet and self.rng.random() < 0.1:
                    continue
                elif f == "jitter":
                    time.sleep(self.rng.random() * 0.08)
                elif f == "slow":
                    for i in range(len(data)):
                        if self.fault != "slow":
                            self._send(client, data[i:])
                            break
                        self._send(client, data[i : i + 1])
                        time.sleep(0.1)
                    continue
                self._send(client, data)
        except OSError:
            pass
