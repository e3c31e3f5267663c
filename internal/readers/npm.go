package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nodeVersion is the Node.js that runs all packages of npm's: its own zlib knows Zstandard.
const nodeVersion = "24.21.0"

// npmReaders are Node's own, and packages of npm's.
func npmReaders() []reader {
	const read = `import { readFileSync, writeFileSync } from 'node:fs';
const [from, to] = process.argv.slice(2);
process.on('uncaughtException', e => { console.error(e.message ?? e); process.exit(1); });`
	return []reader{
		npm("Node.js, `zlib.createZstdDecompress`", "node", nodeVersion, all, `
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
await pipeline(createReadStream(process.argv[2]), createZstdDecompress(), createWriteStream(process.argv[3]));`),
		npm("Node.js, `zlib.zstdDecompressSync`", "node", nodeVersion, all, read+`
import { zstdDecompressSync } from 'node:zlib';
writeFileSync(to, zstdDecompressSync(readFileSync(from)));`),
		npm("npm `fzstd`, `decompress`", "fzstd", "0.1.1", all, read+`
import { decompress } from 'fzstd';
writeFileSync(to, decompress(readFileSync(from)));`),
		npm("npm `zstddec`, `decode`", "zstddec", "0.3.4", all, read+`
import { ZSTDDecoder } from 'zstddec';
const decoder = new ZSTDDecoder();
await decoder.init();
writeFileSync(to, decoder.decode(readFileSync(from)));`),
		npm("npm `@hpcc-js/wasm-zstd`, `decompress`", "@hpcc-js/wasm-zstd", "1.12.5", refused, read+`
import { Zstd } from '@hpcc-js/wasm-zstd';
writeFileSync(to, (await Zstd.load()).decompress(readFileSync(from)));`),
		npm("npm `@bokuweb/zstd-wasm`, `decompress`", "@bokuweb/zstd-wasm", "0.0.27", refused, read+`
import { init, decompress } from '@bokuweb/zstd-wasm';
await init();
writeFileSync(to, decompress(readFileSync(from)));`),
		npm("npm `zstd-codec`, `Simple().decompress`", "zstd-codec", "0.1.5", refused, read+codec("Simple")),
		npm("npm `zstd-codec`, `Streaming().decompress`", "zstd-codec", "0.1.5", all, read+codec("Streaming")),
		npm("DuckDB, `read_csv(…, compression='zstd')`", "@duckdb/node-api", "1.5.6-r.1", allButMark, read+`
import { DuckDBInstance } from '@duckdb/node-api';
const db = await (await DuckDBInstance.create()).connect();
await db.run("COPY (SELECT line FROM read_csv('" + from + "', compression='zstd', header=false, columns={'line': 'VARCHAR'}, auto_detect=false, "
  + "delim=chr(1), quote='', escape='', max_line_size=4194304, parallel=false)) TO '" + to + "' (FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '')");`),
	}
}

// codec is a program for one of zstd-codec's classes.
func codec(class string) string {
	return fmt.Sprintf(`
import { ZstdCodec } from 'zstd-codec';
ZstdCodec.run(zstd => {
  const got = new zstd.%s().decompress(readFileSync(from));
  if (!got) throw new Error('it returns ' + got);
  writeFileSync(to, got);
});`, class)
}

// npm is a script that reads one file with a package and writes another.
func npm(name, pkg, version string, want outcome, script string) reader {
	return reader{
		name: name, want: want,
		install: func(ctx context.Context, dir string) (string, error) {
			at := filepath.Join(dir, "npm")
			if err := os.MkdirAll(at, 0o755); err != nil {
				return version, err
			}
			for _, p := range []string{"node@" + nodeVersion, pkg + "@" + version} {
				name := p[:strings.LastIndex(p, "@")]
				if _, err := os.Stat(filepath.Join(at, "node_modules", filepath.FromSlash(name))); err == nil {
					continue
				} else if !errors.Is(err, os.ErrNotExist) {
					return version, err
				}
				if _, err := output(ctx, at, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", at, p); err != nil {
					return version, fmt.Errorf("%w: npm install %s: %w", errAbsent, p, err)
				}
			}
			number, _, _ := strings.Cut(version, "-")
			return number, os.WriteFile(npmScript(dir), []byte(script), 0o600)
		},
		read: func(ctx context.Context, dir, in, out string) error {
			return runInto(ctx, dir, "", "", filepath.Join(dir, "npm", "node_modules", ".bin", "node"), npmScript(dir), in, out)
		},
	}
}

// npmScript is where the script of the reader that was installed last is.
func npmScript(dir string) string { return filepath.Join(dir, "npm", "reader.mjs") }
