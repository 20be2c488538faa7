/** What the server's contexts are told: plain data. */
export interface ServerConfig {
  /** What is served: the files below this folder. */
  readonly folder: string;
  /** Where the worker listens for the front, the context that has the sockets. */
  readonly workerUri: string;
  readonly rdma: {
    /** Schemes of portals that clients may name. */
    readonly schemes: readonly string[];
    /** RDMA sessions that one worker may have: the others get plain HTTP. */
    readonly maximumSessions: number;
    /** Segments of one session that may be on their way. */
    readonly slots: number;
    /** Bytes of a segment. */
    readonly slotBytes: number;
  };
}

export const defaultRdma: ServerConfig['rdma'] = {
  schemes: ['tcp', 'rdma'],
  maximumSessions: 128,
  slots: 4,
  slotBytes: 256 * 1024,
};
