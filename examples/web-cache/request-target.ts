/**
 * The path that a request's target means, decoded and without `.`, `..` and empty segments, so that one file has one
 * name; undefined when it is none.
 */
export function pathOfTarget(target: string): string | undefined {
  const end = target.search(/[?#]/);
  let path: string;
  try {
    path = decodeURIComponent(end < 0 ? target : target.slice(0, end));
  } catch {
    return undefined;
  }
  if (!path.startsWith('/') || path.includes('\0') || path.includes('\\')) return undefined;
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const isFolder = /\/\.{0,2}$/.test(path);
  return segments.length === 0 ? '/' : `/${segments.join('/')}${isFolder ? '/' : ''}`;
}

/** Whether a path names something that is not for everybody: `/.git/config`, `/.env`. */
export function isHidden(path: string): boolean {
  return path.includes('/.');
}
