// Writes the next migration from what prisma/schema.prisma says beyond the migrations: `tsx scripts/migration.ts NAME`.
// It replays the existing ones in a database of its own that it throws away; it never touches a real one.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../src/store/database.ts';
import { prismaFolder, readMigrations, readSchema, schemaDrift } from '../src/store/schema-engine.ts';

const lockfile = `# Says which database the migrations are for. Belongs under version control.
provider = "postgresql"
`;

async function writeMigration(name: string): Promise<string | undefined> {
  const dataDir = await mkdtemp(join(tmpdir(), 'relay-migration-'));
  const database = await openDatabase({ dataDir });
  try {
    const sql = await schemaDrift(database.connection, await readMigrations(), await readSchema());
    if (sql === '') return undefined;
    const stamp = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
    const folder = join(prismaFolder, 'migrations', `${stamp}_${name}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'migration.sql'), sql);
    await writeFile(join(prismaFolder, 'migrations', 'migration_lock.toml'), lockfile);
    return join(folder, 'migration.sql');
  } finally {
    await database.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const name = process.argv[2] ?? '';
if (/^[a-z0-9_]{1,60}$/.test(name)) {
  console.log((await writeMigration(name)) ?? 'The migrations say what the schema says; nothing to write.');
} else {
  console.error('usage: migration NAME, of lower-case letters, digits and _');
  process.exitCode = 2;
}
