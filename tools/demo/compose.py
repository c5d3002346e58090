#!/usr/bin/env python3
"""The demo's video: a crowd of real faces from pinned packages, walking past.

usage: compose.py DIR          DIR/material holds the pictures; writes DIR/crowd.mp4 and DIR/watchlist
       compose.py --check DIR  ends with 1 when that has yet to be done

Five people of a group photograph stand in the background, a man and a woman of two clips walk by in
front of them at changing distance. One of them is listed, by a different photograph of him. The video
is made anew only when this recipe or its material changes.
"""
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

SECONDS, FPS = 12, 25

# The group stands on the left before its own blurred picture; the walkers, cut to head and shoulders
# with soft edges, pass on the right, one above the other, coming nearer and going. What does not
# change (wall, group, the masks of the soft edges) is computed once and repeated.
STILL = f"loop=loop=-1:size=1,setpts=N/({FPS}*TB)"
EDGE = "255*clip(1.7-1.7*hypot((X-W/2)/(W/2),(Y-H/2)/(H/2)),0,1)"


def mask(size, name):
    return f"color=s={size}:r={FPS}:d={1 / FPS},format=gray,geq=lum='{EDGE}',{STILL}[{name}];"


FILTER = f"""
[0:v]split[a][b];
[a]scale=48:27,scale=1920:1080:flags=bicubic,setsar=1,{STILL}[wall];
[b]scale=1240:-2,setsar=1,{STILL}[group];
[wall][group]overlay=x='-40+6*t':y='120+5*sin(2*t)'[back];
{mask("330x416", "oval1")}
{mask("420x490", "oval2")}
[1:v]fps={FPS},crop=270:340:190:10,scale=330:416,format=yuv420p[m];
[m][oval1]alphamerge[man];
[2:v]fps={FPS},crop=300:350:170:5,scale=420:490,format=yuv420p[w];
[w][oval2]alphamerge[woman];
[back][woman]overlay=x='1260+40*sin(0.7*t)':y='560+10*sin(3*t)'[one];
[one][man]overlay=x='1920-95*t':y='70+14*sin(4*t)':enable='between(t,0.5,7)',
     noise=alls=4:allf=t:all_seed=7,format=yuv420p[out]
"""

def recipe(material):
    h = hashlib.sha256(Path(__file__).read_bytes())
    for f in sorted(material.iterdir()):
        h.update(f.name.encode() + f.read_bytes())
    return h.hexdigest()


def main():
    top = Path(sys.argv[-1])
    material, video, stamp = top / "material", top / "crowd.mp4", top / "recipe"
    want = recipe(material)
    if video.exists() and (top / "watchlist").is_dir() and stamp.exists() and stamp.read_text() == want:
        return 0
    if "--check" in sys.argv[1:-1]:
        return 1
    part = top / "crowd.part.mp4"
    cmd = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-framerate", str(FPS), "-i", str(material / "multi_face.jpg"),
           "-stream_loop", "-1", "-i", str(material / "single_face.mp4"),
           "-stream_loop", "-1", "-i", str(material / "WolfgangLanger_Pexels.mp4"),
           "-filter_complex", FILTER.replace("\n", ""), "-map", "[out]", "-t", str(SECONDS), "-an",
           "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "1", "-bitexact", str(part)]
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode:
        print(r.stdout.strip().splitlines()[-1] if r.stdout.strip() else "ffmpeg failed", file=sys.stderr)
        return 1
    watchlist = top / "watchlist"
    shutil.rmtree(watchlist, ignore_errors=True)
    watchlist.mkdir()
    shutil.copyfile(material / "single_face.jpg", watchlist / "Walker-in-black.jpg")
    part.replace(video)
    stamp.write_text(want)
    return 0


if __name__ == "__main__":
    sys.exit(main())
