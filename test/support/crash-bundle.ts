// The crash child (or another one) as two plain files, built once per run: every death costs a start, and most of a start from the sources
// is reading them. Packages and everything else are found where they are.
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..', '..');

export interface CrashBundle extends AsyncDisposable {
  /** What to run. */
  readonly entry: string;
}

export async function buildCrashChild(source = 'test/support/crash-child.ts'): Promise<CrashBundle> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-crash-child-'));
  const outdir = join(folder, 'dist', 'built');
  await mkdir(outdir, { recursive: true });
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
  for (const name of ['node_modules', 'prisma']) await symlink(join(root, name), join(folder, name));
  await build({
    entryPoints: {
      child: join(root, source),
      // Where the embedded database looks for it in a build: beside itself.
      worker: join(root, 'src/store/embedded/worker.ts'),
    },
    outdir,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    logLevel: 'error',
  });
  return {
    entry: join(outdir, 'child.js'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
