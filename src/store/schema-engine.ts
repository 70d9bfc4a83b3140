// Prisma's own migration engine as WebAssembly: compares schemas, applies migrations, records them as the Prisma CLI
// would. It only wraps the engine; what to do about the answers is decided in migrate.ts.
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { MigrationDirectory, MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

type SchemaEngine = engineModule.SchemaEngine;

const noFilter = { externalTables: [], externalEnums: [] };
const migrationName = /^\d{14}_\w+$/;

/** The `prisma` folder that came with this code: the nearest one above, since a build may lie deeper than the sources. */
export const prismaFolder = findPrismaFolder(dirname(fileURLToPath(import.meta.url)));

function findPrismaFolder(from: string): string {
  const folder = join(from, 'prisma');
  if (existsSync(join(folder, 'migrations'))) return folder;
  const parent = dirname(from);
  if (parent === from) throw new Error('The folder prisma/migrations is missing from this installation.');
  return findPrismaFolder(parent);
}

let loading: Promise<void> | undefined;

/** Instantiates the WebAssembly module once per process; it takes some tens of milliseconds and some memory. */
async function load(): Promise<void> {
  const require = createRequire(import.meta.url);
  const glue = require.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = await readFile(join(dirname(glue), 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, {
    './schema_engine_bg.js': engineModule as unknown as WebAssembly.ModuleImports,
  });
  const exports = instance.exports as WebAssembly.Exports & { readonly __wbindgen_start: () => void };
  engineModule.__wbg_set_wasm(exports);
  exports.__wbindgen_start();
}

/** The type of the catalogue's one-byte `"char"` columns, and one that the driver adapter has a mapping for. */
const charOid = 18;
const textOid = 25;

interface EngineDatabase {
  connect(): Promise<SqlDriverAdapter>;
  end(): Promise<void>;
}

/**
 * Connections for the engine alone, without the time limits of the shared pool. To describe a schema the engine reads
 * `"char"` columns and insists on getting them as characters, which the driver adapter refuses: so the type is replaced
 * before the adapter looks and put right in its answer. The engine runs one query at a time.
 */
function engineDatabase(connection: pg.ClientConfig): EngineDatabase {
  const pool = new pg.Pool({ ...connection, max: 2 });
  // The query under way reports a lost connection; without a listener it would end the process.
  pool.on('error', () => {});
  let charColumns = new Set<number>();
  pool.on('connect', (client) => {
    // Ahead of the client's own listener, which takes the types from the same object.
    client.connection.prependListener('rowDescription', (message: { fields: { dataTypeID: number }[] }) => {
      const columns = [...message.fields.entries()].filter(([, field]) => field.dataTypeID === charOid);
      charColumns = new Set(columns.map(([index]) => index));
      for (const field of message.fields) if (field.dataTypeID === charOid) field.dataTypeID = textOid;
    });
  });
  return {
    connect: async () => {
      const adapter = await new PrismaPg(pool).connect();
      const queryRaw = adapter.queryRaw.bind(adapter);
      adapter.queryRaw = async (query) => {
        const result = await queryRaw(query);
        const columnTypes = result.columnTypes.map((type, index) =>
          charColumns.has(index) ? ColumnTypeEnum.Character : type,
        );
        return { ...result, columnTypes };
      };
      return adapter;
    },
    end: () => pool.end(),
  };
}

/**
 * Runs `work` with an engine on the database behind `connection`. With `shadow`, the engine replays migrations there, so
 * that database must be empty and may be thrown away.
 */
async function withSchemaEngine<T>(
  connection: pg.ClientConfig,
  work: (engine: SchemaEngine) => Promise<T>,
  shadow?: pg.ClientConfig,
): Promise<T> {
  loading ??= load();
  await loading;
  const main = engineDatabase(connection);
  const replay = shadow && engineDatabase(shadow);
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => main.connect(),
    connectToShadowDb: () => (replay ?? main).connect(),
  });
  const engine = await engineModule.SchemaEngine.new({ datamodels: undefined }, () => {}, factory);
  try {
    return await work(engine);
  } finally {
    engine.free();
    await replay?.end();
    await main.end();
  }
}

/** The migrations on disk, in the order in which they apply, as the engine wants them. */
export async function readMigrations(folder = join(prismaFolder, 'migrations')): Promise<MigrationList> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() && migrationName.test(entry.name));
  const migrationDirectories: MigrationDirectory[] = [];
  for (const name of names.map((entry) => entry.name).toSorted()) {
    const content = await readFile(join(folder, name, 'migration.sql'), 'utf8');
    migrationDirectories.push({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: content } },
    });
  }
  return {
    baseDir: folder,
    // The engine insists on the file that says which kind of database the migrations are for; ours know only one.
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"' },
    shadowDbInitScript: '',
    migrationDirectories,
  };
}

export async function readSchema(): Promise<string> {
  return readFile(join(prismaFolder, 'schema.prisma'), 'utf8');
}

/** The SQL that turns what the migrations make into what the schema says; empty text when they agree. */
export async function schemaDrift(
  empty: pg.ClientConfig,
  migrations: MigrationList,
  schema: string,
): Promise<string> {
  return withSchemaEngine(
    empty,
    async (engine) => {
      const result = await engine.diff({
        from: { tag: 'migrations', ...migrations },
        to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: schema }] },
        script: true,
        exitCode: true,
        filters: noFilter,
      });
      return result.exitCode === 0 ? '' : (result.stdout ?? '');
    },
    empty,
  );
}

/** Applies what is not applied yet; the names of what was. */
export async function applyMigrations(
  connection: pg.ClientConfig,
  migrations: MigrationList,
): Promise<string[]> {
  return withSchemaEngine(connection, async (engine) => {
    const result = await engine.applyMigrations({ migrationsList: migrations, filters: noFilter });
    return result.appliedMigrationNames;
  });
}
