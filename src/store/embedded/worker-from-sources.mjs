// Starts worker.ts where the sources run unbuilt: a thread does not inherit the loader that reads TypeScript. It is
// plain JavaScript for that reason, and no part of a build.
// Loaded ahead of the loader, which would look at every file of it.
import '@electric-sql/pglite';
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
