/**
 * heddle: actors on every core, one API from the next thread to the next host. This is all that a user imports;
 * what is not exported here is not public.
 *
 * @packageDocumentation
 */
export { type Clock, systemClock, type Timer } from './clock.js';
export { type ErrorCode, errorCodes, HeddleError, type HeddleErrorOptions, RemoteError } from './errors.js';
export type { ActorContext, SpawnArguments, TimerKey } from './runtime/actors/actor-context.js';
export type { DeadLetter, DeadLetterReason } from './runtime/actors/dead-letters.js';
export {
  type ActorDefinition,
  type ActorSpecification,
  type AnyDefinition,
  defineActor,
  type Handler,
  type Handlers,
  type MessagesOf,
  type RefOf,
  Refusal,
} from './runtime/actors/definition.js';
export type { ActorLifeMessage, MessageTraceMessage } from './runtime/actors/diagnostics.js';
export type { Group } from './runtime/actors/group.js';
export type { MachineInspector } from './runtime/actors/machines/inspect.js';
export {
  defineMachineActor,
  type MachineActorSpecification,
  type MachinePersistence,
} from './runtime/actors/machines/machine-actor.js';
export type {
  EventMessage,
  MachineMessages,
  MachineState,
  Observable,
  ObservableMessages,
  OutputOf,
  StateOf,
  TagOf,
} from './runtime/actors/machines/machine-types.js';
export {
  currentState,
  type ObserveOptions,
  type OutputOptions,
  observe,
  outputOf,
  type StateObserver,
  type StateSubscription,
} from './runtime/actors/machines/observe.js';
export type { MailboxOptions, OverflowPolicy } from './runtime/actors/mailbox-options.js';
export {
  defineObjectActor,
  type ObjectActorSpecification,
  type ObjectMessages,
} from './runtime/actors/objects/object-actor.js';
export { finalizer, proxy, releaseProxy, type WrapOptions, wrap } from './runtime/actors/objects/wrap.js';
export {
  defineFunctions,
  type OffloadArguments,
  type OffloadFunction,
  type OffloadFunctions,
} from './runtime/actors/offload/functions.js';
export type { OffloadOptions } from './runtime/actors/offload/offload.js';
export type { OffloadPoolOptions } from './runtime/actors/offload/offload-pool.js';
export type { ContextSpecification, RestartContextsOptions } from './runtime/actors/place-keeper.js';
export type { Placement, SpawnOptions } from './runtime/actors/placement.js';
export type { Pool, PoolOptions } from './runtime/actors/pool.js';
export {
  createProducer,
  type Producer,
  type ProducerOptions,
  type ProducerTarget,
  type Undelivered,
} from './runtime/actors/reliable/producer.js';
export { createRouter, type Router, type RouterOptions, type RoutingStrategy } from './runtime/actors/router.js';
export type { ShutdownPhase } from './runtime/actors/shutdown.js';
export type { Directive, SupervisionOptions, SupervisionStrategy } from './runtime/actors/supervision.js';
export type {
  ActorFailure,
  ActorSystem,
  PoolOf,
  SystemEvents,
  SystemOptions,
} from './runtime/actors/system.js';
export {
  type CurrentTrace,
  currentTrace,
  type Propagator,
  propagate,
  type TraceContext,
  withTrace,
} from './runtime/actors/trace-context.js';
export type {
  ActorRef,
  AnyActorRef,
  AskArguments,
  AskOptions,
  MessageName,
  PayloadArguments,
  Protocol,
  ReplyOf,
  Termination,
  TerminationReason,
} from './runtime/actors/types.js';
export type { Cluster, ClusterEvents, ConnectPeerOptions } from './runtime/cluster/cluster.js';
export {
  ClusterSystem,
  type ClusterSystemOptions,
  createSystem,
  defaultPeerOptions,
} from './runtime/cluster/cluster-system.js';
export type { PeerGroup, PeerSystem, PeerSystemEvents } from './runtime/cluster/peer-system.js';
export { Context, type ContextEvents, type ExportRegionOptions } from './runtime/context/context.js';
export type { ContextEnd, ContextEndReason } from './runtime/context/context-end.js';
export type { ContextHandle, ContextHandleState } from './runtime/context/context-handle.js';
export type { AnyContextMain, ContextDataOf, ContextMain, ContextValueOf } from './runtime/context/context-main.js';
export { type ContextOptions, defaultContextOptions } from './runtime/context/context-options.js';
export type { TurnWork } from './runtime/context/duty-cycle.js';
export {
  createNode,
  HeddleNode,
  type NodeEvents,
  type NodeOptions,
  type StartContextOptions,
} from './runtime/context/node.js';
export type { LeakReport } from './runtime/memory/leak-report.js';
export type { RegionHandle, RegionRight } from './runtime/memory/region-handle.js';
export { Region } from './runtime/memory/region-table.js';
export { SharedBuffer } from './runtime/memory/shared-buffer.js';
export type { SlabPoolStatistics } from './runtime/memory/slab-pool.js';
export { type Codec, compactCodec, jsonCodec } from './runtime/message/codec.js';
export { registerCodec } from './runtime/message/codec-registry.js';
export { Message, type MessageKind } from './runtime/message/message.js';
export type { CancelAnswer } from './runtime/message/message-layout.js';
export type { Payload, Receipt, RequestOptions, SendOptions } from './runtime/message/payload.js';
export { Segments, segments } from './runtime/message/segments.js';
export type { ContextStatistics, HistogramSummary, UserCounter } from './runtime/observe/statistics.js';
export { type CounterName, counterNames } from './runtime/observe/statistics-layout.js';
export type { ClientSession, ConnectOptions } from './runtime/session/client-session.js';
export type { Connection } from './runtime/session/connection.js';
export type { ConnectionState } from './runtime/session/connection-machine.js';
export type { SessionEvent } from './runtime/session/events.js';
export type { IncomingData, SessionHandlers } from './runtime/session/handlers.js';
export { type ConnectionOptions, defaultConnectionOptions } from './runtime/session/options.js';
export type { RequestWaiter } from './runtime/session/pending-requests.js';
export {
  type RegionOperationName,
  type RegionOperationOptions,
  type RegionWay,
  RemoteRegion,
} from './runtime/session/remote-region.js';
export type { ListenOptions, Server } from './runtime/session/server.js';
export type { ServerSession } from './runtime/session/server-session.js';
export type { Session } from './runtime/session/session.js';
export type { SessionState } from './runtime/session/session-machine.js';
export type { SessionRequest } from './runtime/session/session-request.js';
export type { SessionTicket } from './runtime/session/ticket.js';
export type { WireDescription } from './transports/transport.js';
