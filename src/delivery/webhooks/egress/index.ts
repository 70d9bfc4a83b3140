// What the rest of the process may use of the egress guard: the guard itself, the connector that asks it, its errors.
export { guardedConnector } from './connector.ts';
export type { Connector, GuardedConnectorDeps } from './connector.ts';
export { createEgressGuard } from './egress-guard.ts';
export type { EgressGuardDeps } from './egress-guard.ts';
export { ConnectTimeoutError, EgressRefusedError } from './errors.ts';
export type { ConnectPhase } from './errors.ts';
export { systemLookup } from './lookup.ts';
export type { Lookup } from './lookup.ts';
