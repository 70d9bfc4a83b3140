// What the rest of the process may use of the door.
export { createDoor } from './door.ts';
export type { DoorDeps, DoorObserver } from './door.ts';
