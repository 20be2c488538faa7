/** A link in a Markdown text, as written. */
export interface MarkdownLink {
  readonly line: number;
  readonly target: string;
}

/** The links and images of a Markdown text, those in code left out. */
export function findLinks(markdown: string): MarkdownLink[] {
  return withoutCode(markdown).flatMap((text, index) => {
    const inline = [...text.matchAll(/\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
    const reference = [...text.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/g)];
    return [...inline, ...reference].map((match) => ({ line: index + 1, target: match[1] as string }));
  });
}

/** The names that a link can point at after `#`: headings, as GitHub writes them, and anchors of HTML. */
export function findAnchors(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const text of withoutCode(markdown, { keepInline: true })) {
    for (const match of text.matchAll(/<a id="([^"]+)">/g)) anchors.add(match[1] as string);
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(text)?.[1];
    if (heading !== undefined) anchors.add(uniqueSlug(headingSlug(heading), anchors));
  }
  return anchors;
}

function headingSlug(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

function uniqueSlug(slug: string, taken: ReadonlySet<string>): string {
  if (!taken.has(slug)) return slug;
  let number = 1;
  while (taken.has(`${slug}-${number}`)) number++;
  return `${slug}-${number}`;
}

/** The lines of a text with code made empty, so that line numbers stay. */
function withoutCode(markdown: string, { keepInline = false } = {}): string[] {
  let fence: string | undefined;
  return markdown.split('\n').map((text) => {
    const mark = /^\s*(```+|~~~+)/.exec(text)?.[1];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return '';
    }
    if (fence !== undefined) return '';
    return keepInline ? text : text.replace(/`[^`]*`/g, '');
  });
}

/** A block of code between fences. */
export interface CodeBlock {
  /** Line of the opening fence. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** The fenced blocks of a Markdown text, in order. */
export function findCodeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { line: number; language: string; lines: string[] } | undefined;
  markdown.split('\n').forEach((text, index) => {
    const language = /^```(\w*)\s*$/.exec(text)?.[1];
    if (open === undefined) {
      if (language !== undefined) open = { line: index + 1, language, lines: [] };
    } else if (text === '```') {
      blocks.push({ line: open.line, language: open.language, code: open.lines.join('\n') });
      open = undefined;
    } else {
      open.lines.push(text);
    }
  });
  return blocks;
}
