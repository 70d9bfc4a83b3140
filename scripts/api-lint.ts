// Lints the relay's description of itself with Spectral (.spectral.yaml): /openapi.json and /asyncapi.json, or the files that
// are named. Ends with 1 on a warning.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { asyncApiDocument } from '../src/http/openapi/async-document.ts';
import { openApiDocument } from '../src/http/openapi/document.ts';

const root = join(import.meta.dirname, '..');
const named = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'relay-api-'));
try {
  process.exitCode = lint(named.length > 0 ? named : rendered());
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function rendered(): string[] {
  const shape = z.object({ version: z.string() });
  const { version } = shape.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const documents = {
    'openapi.json': openApiDocument({ version }),
    'asyncapi.json': asyncApiDocument({ version }),
  };
  return Object.entries(documents).map(([name, document]) => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(document, null, 2));
    return path;
  });
}

function lint(files: readonly string[]): number {
  const home = dirname(createRequire(import.meta.url).resolve('@stoplight/spectral-cli/package.json'));
  const ruleset = join(root, '.spectral.yaml');
  const given = ['lint', '--fail-severity=warn', '--ruleset', ruleset, ...files];
  const { status } = spawnSync(process.execPath, [join(home, 'dist', 'index.js'), ...given], {
    stdio: 'inherit',
  });
  return status ?? 1;
}
