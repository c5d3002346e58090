#!/usr/bin/python3
"""A camera: GStreamer's RTSP server playing generated clips for ever, on loopback.

    rtsp_camera.py --clip A.h264 [--clip B.h264 ...] [--codec h264|h265] [--user NAME --password WORD]

Prints "ready PORT". Then one command a line on standard input:
    clip N        go on with clip N at its first (key) frame: another size, in the middle of the stream
    quit
Needs python3-gi, gir1.2-gst-rtsp-server-1.0 and the base, good and bad plug-ins. Exit 77 without them.
"""
import argparse
import sys
import threading

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as e:
    print(f"SKIPPED: no GStreamer RTSP server ({e})", flush=True)
    sys.exit(77)

FPS = 25


def pictures(path, codec):
    """The access units of an elementary stream that was made with access unit delimiters."""
    data = open(path, "rb").read()
    mark = b"\0\0\0\1\x09" if codec == "h264" else b"\0\0\0\1\x46"
    at = [i for i in range(len(data)) if data.startswith(mark, i)] if len(data) < 1 << 22 else []
    if not at:
        sys.exit(f"{path}: no access unit delimiters")
    return [data[a:b] for a, b in zip(at, at[1:] + [len(data)])]


class Camera:
    def __init__(self, clips):
        self.clips, self.clip, self.at = clips, 0, 0

    def configure(self, _factory, media):
        media.set_reusable(False)
        src = media.get_element().get_child_by_name("src")
        state = {"n": 0, "on": True}
        media.connect("unprepared", lambda _m: state.update(on=False))

        def push():
            if not state["on"]:
                return False
            unit = self.clips[self.clip][self.at]
            self.at = (self.at + 1) % len(self.clips[self.clip])
            buf = Gst.Buffer.new_wrapped(unit)
            buf.pts = buf.dts = state["n"] * Gst.SECOND // FPS
            buf.duration = Gst.SECOND // FPS
            state["n"] += 1
            return src.emit("push-buffer", buf) == Gst.FlowReturn.OK

        self.at = 0
        GLib.timeout_add(1000 // FPS, push)


def commands(camera, loop):
    for line in sys.stdin:
        word = line.split()
        if word[:1] == ["clip"]:
            camera.clip, camera.at = int(word[1]), 0
        elif word[:1] == ["quit"]:
            break
    loop.quit()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--clip", action="append", required=True)
    p.add_argument("--codec", default="h264")
    p.add_argument("--user")
    p.add_argument("--password")
    a = p.parse_args()
    Gst.init(None)
    pay = f"rtp{a.codec}pay"
    for e in ("appsrc", f"{a.codec}parse", pay):
        if not Gst.ElementFactory.find(e):
            print(f"SKIPPED: GStreamer has no {e}", flush=True)
            sys.exit(77)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    camera = Camera([pictures(c, a.codec) for c in a.clip])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( appsrc name=src is-live=true format=time block=false max-bytes=4000000"
        f" caps=video/x-{a.codec},stream-format=byte-stream,alignment=au,framerate={FPS}/1"
        f" ! {a.codec}parse ! {pay} name=pay0 pt=96 config-interval=-1 )")
    factory.set_shared(True)
    factory.connect("media-configure", camera.configure)
    if a.user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_digest(a.user, a.password, token)
        rights = GstRtspServer.RTSPPermissions()
        for what in ("access", "construct"):
            rights.add_permission_for_role("viewer", f"media.factory.{what}", True)
        factory.set_permissions(rights)
        server.set_auth(auth)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(f"ready {server.get_bound_port()}", flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=commands, args=(camera, loop), daemon=True).start()
    # Sessions of clients that vanished.
    GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() or True)
    loop.run()


main()
