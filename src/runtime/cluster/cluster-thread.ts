import { type ActorThreadData, startActorHost } from '../actors/actor-thread.js';
import type { ActorHost } from '../actors/host.js';
import type { Context } from '../context/context.js';
import type { ConnectionOptions } from '../session/options.js';
import { type NodeAnnouncement, NodeLinks } from './node-links.js';

/** What the main context says to the others about nodes. */
export type ClusterPost =
  | { readonly do: 'enter'; readonly announcement: NodeAnnouncement }
  | { readonly do: 'leave'; readonly node: string }
  | { readonly do: 'portal' };

/** The name by which the runtimes of a system's contexts speak of nodes. */
export const clusterExtension = 'cluster';

/** What a worker context knows of the cluster from its start. */
export interface ClusterThreadData {
  readonly secret: string | undefined;
  readonly connection: Partial<ConnectionOptions>;
  /** Where it listens; undefined when the system does not. */
  readonly portal: string | undefined;
}

/** The main function of the worker contexts of a system that can be connected with others. */
export default async function runClusterThread(context: Context, data: ActorThreadData): Promise<void> {
  const host = await startActorHost(context, data);
  const { secret, connection, portal } = data.extra as ClusterThreadData;
  const links = new NodeLinks(host, secret, connection);
  const uri = portal === undefined ? '' : await links.listen(portal);
  serveClusterPosts(host, links, uri);
}

/** Carries out what the main context says about nodes. */
function serveClusterPosts(host: ActorHost, links: NodeLinks, uri: string): void {
  host.messages.extend(clusterExtension, (_from, payload) => {
    const post = payload as ClusterPost;
    if (post.do === 'enter') return links.enter(post.announcement);
    if (post.do === 'leave') links.leave(post.node);
    return uri;
  });
}
