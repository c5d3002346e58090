"""A town whose pack knows missing persons, over the API: uk-london with keys of its own. Standard library only."""
import base64
import json
import pathlib
import sqlite3

import world
from world import harness, when

LONDON = "uk-london"
AGENCY = {"agency": "metropolitan-police", "jurisdiction": LONDON}
NAME = "Robin Quillfeather"


def pack_text(keys, name=LONDON, role="regulator"):
    """The pack as published, with the authority's keys in it."""
    pack = (harness.ROOT / "policies" / f"{name}.yaml").read_text()
    named = "".join(f"  - {{id: {k}, role: {'authorising-officer' if k == 'officer' else role}, ed25519: {v}}}\n"
                    for k, v in keys.items())  # fmt: skip
    pack = pack.replace("keys: []", "keys:\n" + named.rstrip())
    return pack.replace("evaluation_needed: true", "evaluation_needed: false").replace("fpir_max: 0.000001", "fpir_max: 0.001")


def documents(cli, folder, officer, name=LONDON, role="regulator", kinds=("pack", "lease")):
    """What the authority does, elsewhere. @return its pack, and its documents in order, each with a digest."""
    folder = pathlib.Path(folder)
    clerks = ("clerk-1", "clerk-2", "clerk-3")
    keys = {c: cli("key", "new", folder / f"{name}-{c}.key")["ed25519"] for c in clerks}
    keys["officer"] = officer
    pack = pack_text(keys, name, role)
    (folder / f"{name}.yaml").write_text(pack)
    (folder / "rules.txt").write_text("the rules that were approved\n")
    out = []
    for i, kind in enumerate(kinds):
        path = folder / f"{name}-{i}.doc"
        before = ("--after", folder / f"{name}-{i - 1}.doc") if i else ("--jurisdiction", name)
        extra = ("--rules", folder / "rules.txt") if kind == "approval" else ()
        doc = cli("policy", "sign", kind, *before, "--pack", folder / f"{name}.yaml", *extra, "--key",
                  folder / f"{name}-clerk-1.key", "--id", "clerk-1", "--out", path)  # fmt: skip
        for c in clerks[1:]:
            doc = cli("policy", "cosign", path, "--key", folder / f"{name}-{c}.key", "--id", c, "--out", path)
        out.append((path, doc["digest"]))
    return pack, out


class London(world.World):
    def town(self):
        officer = self.people["jones"].post("session/key", {"password": world.PASSWORD})["public_key"]
        pack, docs = documents(self.cli, self.folder, officer)
        self.bring(LONDON, pack, docs)
        return self

    def bring(self, name, pack, docs):
        alice = self.people["alice"]
        alice.post("policies/trust", {"jurisdiction": name, "anchor": docs[0][1]})
        for i, (path, _) in enumerate(docs):
            body = {"document": path.read_text()}
            alice.post("policies/documents", {**body, "pack": pack} if i == 0 else body)

    def facts(self, picture, town=LONDON, **other):
        image = base64.b64encode(picture.read_bytes()).decode()
        photo = {"image": image, "source": "family", "holding": "given by the mother"}
        return {"jurisdiction": town, "name": NAME, "about": "1.40 m, red coat", "report": "MP/26/77", "risk": "RA/1",
                "consent": "guardian", "consent_ref": "statement of the mother", "category": "missing-person-at-risk",
                "legal_basis": "duty to protect life", "recipients": "brown, constable", "child": True, "born": "2014-05-01T00:00:00Z",
                "photos": [{**photo, "taken": "2021-05-01T00:00:00Z"}, {**photo, "taken": "2026-08-12T00:00:00Z"}], **other}  # fmt: skip

    def missing_plan(self, watchlist, deployment, seconds=600, camera="van-1"):
        square = [{"lat": a, "lon": b} for a, b in ((51.36, -0.11), (51.38, -0.11), (51.38, -0.09), (51.36, -0.09))]
        return {"watchlist": watchlist, "deployment": deployment, "purpose": "missing-person", "legal_basis": "duty to protect life",
                "start": when(-30), "end": when(seconds), "area": square, "cameras": [{"id": camera, **AGENCY, "lat": 51.37, "lon": -0.10}],
                "controller": AGENCY, "operator": AGENCY, "recipients": [{**AGENCY, "safeguarding": True}],
                "references": [{"kind": k, "ref": "2027/1", "until": when(86400 * 60)}
                               for k in ("dpia", "equality", "community-impact", "written-authority", "evaluation")],
                "notice": {"published": when(-72 * 3600), "waived": "none"}}  # fmt: skip


def left(state, *texts):
    """Files below state that still hold one of these bytes, and rows of what should be gone."""
    found = []
    for path in sorted(pathlib.Path(state).rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += [(path.name, t) for t in texts if (t if isinstance(t, bytes) else t.encode()) in data]
    db = sqlite3.connect(f"file:{state}/store/vedette.db?mode=ro", uri=True)
    for table in ("cases", "case_blobs", "case_links", "entries", "entry_blobs", "persons", "alerts", "alert_blobs", "adjudications", "holds"):
        n = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        if n:
            found.append((table, n))
    db.close()
    return found


def dumps(o):
    return json.dumps(o, ensure_ascii=False)
