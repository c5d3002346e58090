// Build the console: type-check, bundle, compress, measure.
//     node build.mjs OUT          OUT/ gets everything that the daemon serves
// Fails when the page would be heavier than it may be.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const WEIGHT_MAX = 300 * 1024; // bytes, compressed, of everything together
const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "build", "console");

const tsc = spawnSync(process.execPath, [join(here, "node_modules", "typescript", "lib", "tsc.js"), "-p", here], {
  stdio: "inherit",
});
if (tsc.status !== 0) process.exit(1);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: ["src/app.tsx", "src/public.tsx", "src/style.css"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none", // licences.txt has them
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});
for (const f of ["index.html", "public.html", "icon.svg"]) copyFileSync(join(here, f), join(out, f));
writeFileSync(
  join(out, "licences.txt"),
  "The console contains Preact:\n\n" + readFileSync(join(here, "node_modules", "preact", "LICENSE"), "utf8"),
);

let total = 0;
for (const f of readdirSync(out).sort()) {
  const bytes = readFileSync(join(out, f));
  const packed = gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION });
  if (bytes.length > 1024) writeFileSync(join(out, f + ".gz"), packed);
  total += packed.length;
}
if (total > WEIGHT_MAX) {
  console.error(`console: ${total} bytes compressed, at most ${WEIGHT_MAX} are allowed`);
  process.exit(1);
}
console.log(`console: ${out}, ${(total / 1024).toFixed(0)} KiB compressed`);
