// Owns the public face of the simulator. Anything not named here is an inner matter and must not be imported.
export { startSimulator, Simulator } from './simulator.ts';
export type { PlantedSubscription } from './simulator.ts';
export type { SimulatorOptions } from './options.ts';
export type { FaultHandle, FaultName, FaultOf, FaultSpec, FaultState } from './faults.ts';
export type { BurstOptions, SendOptions } from './delivery.ts';
export type { ReconnectOptions } from './session-hub.ts';
export type { WaitOptions } from './activity.ts';
export type { EventFields } from './payloads.ts';
export type {
  Condition,
  ConnectionRecord,
  RequestRecord,
  SentNotification,
  SessionSnapshot,
  SessionState,
  SimUser,
  SubscriptionSnapshot,
} from './types.ts';
