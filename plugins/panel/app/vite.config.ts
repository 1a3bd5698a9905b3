import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const client = fileURLToPath(new URL("../../../clients/typescript/src/client.ts", import.meta.url));

/** Leaves each file compressed beside it, where that makes it smaller: the component serves it so. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    closeBundle() {
      const dist = fileURLToPath(new URL("dist/", import.meta.url));
      for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const file = `${entry.parentPath ?? entry.path}/${entry.name}`;
        const bytes = readFileSync(file);
        const packed = {
          br: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
          gz: gzipSync(bytes, { level: 9 }),
        };
        for (const [ending, smaller] of Object.entries(packed)) {
          if (smaller.length < bytes.length) writeFileSync(`${file}.${ending}`, smaller);
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [precompressed()],
  resolve: { alias: { "@telepulse/client": client } },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  // No polyfill: it would be a script in the page.
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0, reportCompressedSize: false },
  server: { fs: { allow: ["../../.."] } },
});
