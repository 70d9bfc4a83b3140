// The tests that mutated decision files are held to: the fast ones that concern them, without a database.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/unit/cursor.test.ts',
      'test/unit/egress-addresses.test.ts',
      'test/unit/egress-guard.test.ts',
      'test/unit/egress-load.test.ts',
      'test/unit/verdict.test.ts',
      'test/model/connection-state.test.ts',
      'test/model/dedupe.test.ts',
      'test/model/plan.test.ts',
      'test/model/reader.test.ts',
      'test/model/session-state.test.ts',
      'test/model/session-state-properties.test.ts',
      'test/model/webhook-verdict.test.ts',
    ],
    // Each mutant in fresh modules: a table is built when its module is loaded.
    isolate: true,
  },
});
