// What the rest of the process may use of the gateway.
export { attachGateway } from './handshake.ts';
export type { GatewayHandle } from './handshake.ts';
export type { DrainOptions, GatewayStats } from './gateway.ts';
export { gatewayDefaults } from './ports.ts';
export type { GatewayDeps, GatewayLimits, GatewayObserver, GatewayStore } from './ports.ts';
export { gatewayPath, upgradeRequired } from './refusal.ts';
