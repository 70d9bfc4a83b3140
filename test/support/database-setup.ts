// Once per run: makes the template database that every test's own is copied from, and says what the run covers.
import { prepareTemplate } from './test-database.ts';

export default async function setup(): Promise<void> {
  const startedAt = Date.now();
  const coverage = await prepareTemplate();
  console.log(`database: ${coverage} (template ready after ${Date.now() - startedAt} ms)`);
}
