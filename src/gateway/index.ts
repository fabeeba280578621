/** Premier's gateway: the policies by path, in front of an app or of the servers behind it. */
export { createGateway } from './create.js';
export type { CreateOptions } from './createOptions.js';
export { Gateway } from './gateway.js';
export type { App, CallbackApp } from './app.js';
export { ConfigError, type ConfigIssue } from './config/configError.js';
export { GatewayConfig, type ReadOptions } from './config/gatewayConfig.js';
export type { GatewayOptions } from './config/gatewayOptions.js';
export type { Features } from './config/featureSchemas.js';
export type { PathConfig, ResolvedConfig, UpstreamConfig } from './config/schema.js';
export type { Listening, ListenOptions } from './doors.js';
export type { FetchInfo } from './fetchThrough.js';
export type { Purge } from './features/cachePurge.js';
export type { FetchApp } from '../http/fetchApp.js';
export type { NodeApp } from '../http/nodeApp.js';
export type { GatewayLogger } from '../observe/log.js';
