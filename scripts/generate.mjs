// Generates the Prisma client into src/store/generated, without downloading anything. Quick when it is up to date;
// it must stay plain JavaScript, since it runs before anything is built.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const schemaPath = join(root, 'prisma', 'schema.prisma');
const outputPath = join(root, 'src', 'store', 'generated');
const stampPath = join(outputPath, '.stamp');
const require = createRequire(import.meta.url);

/** What the output depends on: the schema's text and the generator's version. A content hash, since clones have no useful mtimes. */
function fingerprint() {
  const { version } = require('prisma/package.json');
  return createHash('sha256').update(version).update(readFileSync(schemaPath)).digest('hex');
}

function main() {
  // An install without development dependencies has no generator and needs none: it runs what was built.
  try {
    require.resolve('prisma/package.json');
  } catch {
    console.log('prisma is not installed; the client is not generated.');
    return 0;
  }
  const wanted = fingerprint();
  if (existsSync(join(outputPath, 'client.ts')) && existsSync(stampPath)) {
    if (readFileSync(stampPath, 'utf8') === wanted && !process.argv.includes('--force')) return 0;
  }
  const { bin } = require('prisma/package.json');
  const cli = join(dirname(require.resolve('prisma/package.json')), bin.prisma);
  const run = spawnSync(process.execPath, [cli, 'generate', '--schema', schemaPath], {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...process.env,
      // `generate` needs no engine, but the CLI downloads one unless this names a file that exists.
      PRISMA_SCHEMA_ENGINE_BINARY: schemaPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  });
  if (run.status !== 0) {
    process.stderr.write(
      `${run.stdout ?? ''}${run.stderr ?? ''}${run.error ? `${run.error.message}\n` : ''}`,
    );
    console.error('Generating the Prisma client failed.');
    return 1;
  }
  writeFileSync(stampPath, wanted);
  console.log('Generated the Prisma client into src/store/generated.');
  return 0;
}

process.exitCode = main();
