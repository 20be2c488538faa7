import { defineActor } from 'heddle';
import type { Page } from './messages.js';

const requestTimeoutMs = 10_000;
const maximumBodyBytes = 1024 * 1024;

/** Fetches pages and finds the links in them. It does several at once: who asks it sees to it that they are not many. */
export const Fetcher = defineActor(import.meta.url, {
  name: 'fetcher',
  isReentrant: true,
  state: () => ({}),
  handlers: {
    async fetch(_state, url: string): Promise<Page> {
      try {
        const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(requestTimeoutMs) });
        const { status } = response;
        const location = response.headers.get('location');
        const links = location === null ? [] : findLinks(`<a href="${location}">`, url);
        const type = response.headers.get('content-type') ?? '';
        if (status !== 200 || !type.startsWith('text/')) {
          await response.body?.cancel();
          return { status, links };
        }
        const text = await readText(response);
        return type.startsWith('text/html') ? { status, links: findLinks(text, url) } : { status, links, text };
      } catch (error) {
        return { status: 0, links: [], error: String((error as Error).cause ?? error) };
      }
    },
  },
});

/** The body, or as much of it as a page may have. */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    bytes += chunk.length;
    if (bytes > maximumBodyBytes) break;
  }
  return text;
}

/** The pages that a page links to. */
export function findLinks(html: string, base: string): string[] {
  const links = new Set<string>();
  for (const [, href = ''] of html.matchAll(/<a\s[^>]*href="([^"]*)"/gi)) {
    if (!URL.canParse(href, base)) continue;
    const link = new URL(href, base);
    link.hash = '';
    if (link.protocol === 'http:' || link.protocol === 'https:') links.add(link.href);
  }
  return [...links];
}
