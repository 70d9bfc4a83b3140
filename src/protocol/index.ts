// The public contract in one import. Pure: shapes and tables, nothing of ours behind them.
export * from './close-codes.ts';
export * from './event.ts';
export * from './frames.ts';
export * from './rest.ts';
export * from './rest-authorizations.ts';
export * from './rest-webhooks.ts';
export * from './webhook-signature.ts';
